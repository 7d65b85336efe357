"""An S3 bucket of our own: versioned, encrypted, over TLS only, open to nobody outside the account."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration,
)
from cdktf_cdktf_provider_aws.s3_bucket_notification import S3BucketNotification
from cdktf_cdktf_provider_aws.s3_bucket_ownership_controls import (
    S3BucketOwnershipControls,
    S3BucketOwnershipControlsRule,
)
from cdktf_cdktf_provider_aws.s3_bucket_policy import S3BucketPolicy
from cdktf_cdktf_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktf_cdktf_provider_aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)
from cdktf_cdktf_provider_aws.s3_bucket_versioning import (
    S3BucketVersioningA,
    S3BucketVersioningVersioningConfiguration,
)
from constructs import Construct

from modules.addresses import MAIN
from modules.audit import skip
from modules.policy import deny_insecure_transport, document

# Parts of an upload that nobody finished are paid for and seen by no listing.
UPLOAD_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class PrivateBucketProps:
    """`retain` False lets `terraform destroy` delete the bucket with all in it.

    `expire_days` None keeps every object and every version for good, and with `retain` Terraform refuses to destroy the
    bucket. Otherwise objects go after that many days, and earlier versions with them.
    `announce` sends its events to EventBridge.
    """

    name: str
    key_arn: str
    retain: bool
    expire_days: int | None = None
    announce: bool = False


class PrivateBucket(Construct):
    """`name` and `arn`, known once the bucket's policy and encryption are in place."""

    def __init__(self, scope: Construct, id_: str, props: PrivateBucketProps) -> None:
        super().__init__(scope, id_)
        bucket = S3Bucket(
            self,
            MAIN,
            bucket=props.name,
            force_destroy=not props.retain,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=props.retain and props.expire_days is None),
        )
        skip(
            bucket,
            CKV_AWS_18="CloudTrail's data events tell who read what; access logs would need a bucket for each bucket",
            CKV_AWS_144="what it holds is on the file system too, which is backed up",
        )
        if not props.announce:
            skip(bucket, CKV2_AWS_62="nothing has to happen when an object arrives")
        block = S3BucketPublicAccessBlock(
            self,
            "public_access_block",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        S3BucketOwnershipControls(
            self,
            "ownership",
            bucket=bucket.id,
            rule=S3BucketOwnershipControlsRule(object_ownership="BucketOwnerEnforced"),
        )
        versioning = S3BucketVersioningA(
            self,
            "versioning",
            bucket=bucket.id,
            versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
        )
        self._encrypt(bucket, props.key_arn)
        S3BucketLifecycleConfiguration(
            self, "lifecycle", bucket=bucket.id, rule=_rules(props.expire_days), depends_on=[versioning]
        )
        policy = S3BucketPolicy(
            self,
            "policy",
            bucket=bucket.id,
            policy=document(deny_insecure_transport(bucket.arn, f"{bucket.arn}/*")),
            depends_on=[block],
        )
        if props.announce:
            S3BucketNotification(self, "notification", bucket=bucket.id, eventbridge=True)
        self.name = policy.bucket
        self.arn = bucket.arn

    def _encrypt(self, bucket: S3Bucket, key_arn: str) -> None:
        S3BucketServerSideEncryptionConfigurationA(
            self,
            "encryption",
            bucket=bucket.id,
            rule=[
                S3BucketServerSideEncryptionConfigurationRuleA(
                    apply_server_side_encryption_by_default=(
                        S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                            sse_algorithm="aws:kms", kms_master_key_id=key_arn
                        )
                    ),
                    # One call of KMS for many objects, rather than one for each.
                    bucket_key_enabled=True,
                )
            ],
        )


def _rules(expire_days: int | None) -> list[S3BucketLifecycleConfigurationRule]:
    abort = S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(days_after_initiation=UPLOAD_DAYS)
    if expire_days is None:
        rule = S3BucketLifecycleConfigurationRule(
            id="uploads",
            status="Enabled",
            filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
            abort_incomplete_multipart_upload=[abort],
        )
    else:
        rule = S3BucketLifecycleConfigurationRule(
            id="expire",
            status="Enabled",
            filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
            expiration=[S3BucketLifecycleConfigurationRuleExpiration(days=expire_days)],
            noncurrent_version_expiration=[
                S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(noncurrent_days=UPLOAD_DAYS)
            ],
            abort_incomplete_multipart_upload=[abort],
        )
    return [rule]
