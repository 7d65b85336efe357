"""Rights for calls to where data is: DynamoDB, S3, SQS, Secrets Manager, Parameter Store, KMS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.ssm.models import ssm_backends

from local_aws.rights.needs import Call, Need, key_arn, row, simple, via


@row(*(f"dynamodb:{each}" for each in ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"]))
def _item(call: Call) -> Iterator[Need]:
    asked = call.asked
    # With IndexName, the index is the resource.
    index = f"/index/{asked['IndexName']}" if asked.get("IndexName") else ""
    items = [asked[each] for each in ("Item", "Key") if asked.get(each)]
    yield from _table(call, asked["TableName"], index, items)


@row("dynamodb:BatchGetItem", "dynamodb:BatchWriteItem")
def _batch(call: Call) -> Iterator[Need]:
    for name, asked in call.asked["RequestItems"].items():
        if call.operation == "BatchGetItem":
            items = asked["Keys"]
        else:
            items = [part for each in asked for kind in each.values() for part in kind.values()]
        yield from _table(call, name, "", items)


def _table(call: Call, name: str, index: str, items: Iterable[dict[str, Any]]) -> Iterator[Need]:
    """`items`: those that the call is about, or their keys; none of a Query and of a Scan."""
    table = dynamodb_backends[call.account][call.region].tables.get(name.rpartition("/")[2])
    arn = call.arn("dynamodb:table/{TableName}", TableName=name) + index
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    key = table.hash_key_attr if table else None
    leading = sorted({str(*each[key].values()) for each in items if key in each}) if key else []
    for context in [{"dynamodb:leadingkeys": each} for each in leading] or [{}]:
        yield Need(f"dynamodb:{call.operation}", arn, context)
    # DynamoDB asks with the caller's rights (its developer guide, "Encryption at rest: usage notes").
    encryption = (getattr(table, "sse_specification", None) or {}) if table else {}
    yield from via(call, "dynamodb", "kms:Decrypt", encryption.get("KMSMasterKeyId"))


simple("dynamodb", "dynamodb:table/{TableName}", "DescribeTable")


def _bucket(call: Call) -> str:
    return f"arn:{call.partition}:s3:::{call.asked['Bucket']}"


@row("s3:ListObjects", "s3:ListObjectsV2", "s3:HeadBucket", "s3:ListObjectVersions")
def _list(call: Call) -> Iterator[Need]:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
    action = "s3:ListBucketVersions" if call.operation == "ListObjectVersions" else "s3:ListBucket"
    prefix = call.asked.get("Prefix")
    yield Need(action, _bucket(call), {} if prefix is None else {"s3:prefix": str(prefix)})


@row("s3:ListMultipartUploads")
def _uploads(call: Call) -> Iterator[Need]:
    yield Need("s3:ListBucketMultipartUploads", _bucket(call))


@row("s3:GetBucketLocation", "s3:GetBucketVersioning")
def _look(call: Call) -> Iterator[Need]:
    yield Need(f"s3:{call.operation}", _bucket(call))


@row("s3:GetObject", "s3:HeadObject", "s3:GetObjectAcl", "s3:GetObjectTagging", "s3:DeleteObject", "s3:ListParts")
def _object(call: Call) -> Iterator[Need]:
    renamed = {"HeadObject": "GetObject", "ListParts": "ListMultipartUploadParts"}
    action = renamed.get(call.operation, call.operation)
    version = call.asked.get("VersionId")
    resource = f"{_bucket(call)}/{call.asked['Key']}"
    yield Need(f"s3:{action}" + ("Version" if version and action == "GetObject" else ""), resource)
    if action == "GetObject":
        backend = s3_backends[call.account][call.partition]
        if call.asked["Bucket"] in backend.buckets:
            found = backend.get_object(call.asked["Bucket"], call.asked["Key"], version)
            yield from via(call, "s3", "kms:Decrypt", getattr(found, "kms_key_id", None))


@row("s3:PutObject", "s3:CreateMultipartUpload", "s3:UploadPart", "s3:CompleteMultipartUpload")
def _put(call: Call) -> Iterator[Need]:
    acl = call.asked.get("ACL")
    yield Need("s3:PutObject", f"{_bucket(call)}/{call.asked['Key']}", {"s3:x-amz-acl": acl} if acl else {})
    key = call.asked.get("SSEKMSKeyId") or _default_key(call)
    yield from via(call, "s3", "kms:GenerateDataKey", key)
    if call.operation != "PutObject":
        # A multipart upload decrypts what it put before (S3 User Guide, "Uploading and copying... permissions").
        yield from via(call, "s3", "kms:Decrypt", key)


def _default_key(call: Call) -> str | None:
    bucket = s3_backends[call.account][call.partition].buckets.get(call.asked["Bucket"])
    rules = ((bucket.encryption or {}) if bucket else {}).get("Rule") or []
    rules = [rules] if isinstance(rules, dict) else rules
    for each in rules:
        by_default: dict[str, Any] = each.get("ApplyServerSideEncryptionByDefault") or {}
        if key := by_default.get("KMSMasterKeyID"):
            return str(key)
    return None


@row(*(f"sqs:{each}" for each in ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility"]))
@row("sqs:DeleteMessageBatch", "sqs:ChangeMessageVisibilityBatch")
def _queue(call: Call) -> Iterator[Need]:
    name = str(call.asked["QueueUrl"]).rpartition("/")[2]
    # A batch has the right of the single call: the reference has no action for it.
    yield Need(f"sqs:{call.operation.removesuffix('Batch')}", call.arn("sqs:{Name}", Name=name))
    if call.operation == "ReceiveMessage":
        queue = sqs_backends[call.account][call.region].queues.get(name)
        yield from via(call, "sqs", "kms:Decrypt", getattr(queue, "kms_master_key_id", None))


simple("sqs", "sqs:{QueueName}", "GetQueueUrl")


@row("sns:Publish")
def _publish(call: Call) -> Iterator[Need]:
    arn = str(call.asked["TopicArn"])
    yield Need("sns:Publish", arn)
    topic = sns_backends[call.account][call.region].topics.get(arn)
    # SNS developer guide, "Managing Amazon SNS encryption keys and costs": what a publisher needs.
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        yield from via(call, "sns", action, topic.kms_master_key_id if topic else None)


def _secret(call: Call) -> Any:
    secrets = secretsmanager_backends[call.account][call.region].secrets
    asked = str(call.asked.get("SecretId") or call.asked.get("Name"))
    return secrets.get(asked)


@row(
    *(
        f"secretsmanager:{each}"
        for each in [
            "CreateSecret",
            "DeleteSecret",
            "DescribeSecret",
            "GetSecretValue",
            "PutSecretValue",
            "RestoreSecret",
        ]
    )
)
def _secrets(call: Call) -> Iterator[Need]:
    found = _secret(call)
    asked = str(call.asked.get("SecretId") or call.asked.get("Name"))
    resource = str(found.arn) if found else call.arn("secretsmanager:secret:{SecretId}", SecretId=asked)
    yield Need(f"secretsmanager:{call.operation}", resource)
    if call.operation == "CreateSecret" and call.asked.get("Tags"):
        yield Need("secretsmanager:TagResource", resource)
    key = call.asked.get("KmsKeyId") or (found.kms_key_id if found else None)
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html#security-encryption-authz
    if call.operation in ("CreateSecret", "PutSecretValue"):
        yield from via(call, "secretsmanager", "kms:GenerateDataKey", key)
    if call.operation in ("CreateSecret", "PutSecretValue", "GetSecretValue"):
        yield from via(call, "secretsmanager", "kms:Decrypt", key)


@row("ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath")
def _parameters(call: Call) -> Iterator[Need]:
    asked = call.asked
    names = asked.get("Names") or [asked.get("Name") or asked["Path"]]
    for each in names:
        name = str(each)
        slash = "" if name.startswith("/") else "/"
        # A path is the parameter of its name, whatever lies under it.
        resource = name if name.startswith("arn:") else call.arn("ssm:parameter{Name}", Name=f"{slash}{name}")
        yield Need(f"ssm:{call.operation}", resource.rstrip("/"))
        if asked.get("WithDecryption") and "Path" not in asked:
            found = ssm_backends[call.account][call.region].get_parameter(name)
            if found is not None and found.parameter_type == "SecureString":
                yield from via(call, "ssm", "kms:Decrypt", found.keyid)


simple("ssm", "ssm:session/{SessionId}", "TerminateSession ResumeSession")


@row("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey")
def _key(call: Call) -> Iterator[Need]:
    key = call.asked.get("KeyId")
    if key is None:  # the ciphertext names it
        key = bytes(call.asked["CiphertextBlob"])[:36].decode("ascii", "replace")
    arn = key_arn(call, key)
    context = {
        f"kms:encryptioncontext:{name}": value for name, value in (call.asked.get("EncryptionContext") or {}).items()
    }
    if arn is not None:
        yield Need(f"kms:{call.operation}", arn, {name.lower(): value for name, value in context.items()})
