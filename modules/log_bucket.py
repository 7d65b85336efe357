"""The bucket that an application load balancer writes its access logs to."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration,
)
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

from contract.policy import Statement, deny_insecure_transport, document
from modules.account import Account
from modules.addresses import MAIN
from modules.audit import skip

# Regions that Elastic Load Balancing writes from with an account of its own, and that account
# (User Guide for Application Load Balancers, "Enable access logs", regions opened before August 2022).
# Every region that is not listed writes as the service logdelivery.elasticloadbalancing.amazonaws.com.
DELIVERY_ACCOUNTS = {
    "us-east-1": "127311923021",
    "us-east-2": "033677994240",
    "us-west-1": "027434742980",
    "us-west-2": "797873946194",
    "af-south-1": "098369216593",
    "ap-east-1": "754344448648",
    "ap-southeast-3": "589379963580",
    "ap-south-1": "718504428378",
    "ap-northeast-3": "383597477331",
    "ap-northeast-2": "600734575887",
    "ap-southeast-1": "114774131450",
    "ap-southeast-2": "783225319266",
    "ap-northeast-1": "582318560864",
    "ca-central-1": "985666609251",
    "eu-central-1": "054676820928",
    "eu-west-1": "156460612806",
    "eu-west-2": "652711504416",
    "eu-south-1": "635631232127",
    "eu-west-3": "009996457667",
    "eu-north-1": "897822967062",
    "me-south-1": "076674570225",
    "sa-east-1": "507241528517",
    "us-gov-west-1": "048591011584",
    "us-gov-east-1": "190560391635",
    "cn-north-1": "638102146993",
    "cn-northwest-1": "037604701340",
}


@dataclass(frozen=True, kw_only=True)
class LogBucketProps:
    """`retain` False lets `terraform destroy` delete the bucket with the logs in it."""

    name: str
    account: Account
    retention_days: int
    retain: bool


class LogBucket(Construct):
    """`name` is the bucket's, known once the balancer may write to it."""

    def __init__(self, scope: Construct, id_: str, props: LogBucketProps) -> None:
        super().__init__(scope, id_)
        bucket = S3Bucket(self, MAIN, bucket=props.name, force_destroy=not props.retain)
        skip(
            bucket,
            CKV_AWS_18="it holds access logs; logging the log bucket would never end",
            CKV_AWS_144="access logs are not worth a copy in a second region",
            CKV_AWS_145="Elastic Load Balancing writes to buckets with S3-managed keys only",
            CKV2_AWS_62="nothing has to happen when a log arrives",
        )
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
        S3BucketServerSideEncryptionConfigurationA(
            self,
            "encryption",
            bucket=bucket.id,
            rule=[
                S3BucketServerSideEncryptionConfigurationRuleA(
                    apply_server_side_encryption_by_default=(
                        S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                            sse_algorithm="AES256"
                        )
                    )
                )
            ],
        )
        self._expire(bucket, versioning, props.retention_days)
        policy = S3BucketPolicy(
            self,
            "policy",
            bucket=bucket.id,
            policy=document(
                deny_insecure_transport(bucket.arn, f"{bucket.arn}/*"),
                Statement(
                    sid="BalancersOfThisAccountWrite",
                    actions=("s3:PutObject",),
                    resources=(f"{bucket.arn}/AWSLogs/{props.account.id}/*",),
                    principals=_delivery_principal(props.account),
                ),
            ),
            depends_on=[block],
        )
        # The policy's own attribute: a balancer tries to write as soon as it is told the name.
        self.name = policy.bucket

    def _expire(self, bucket: S3Bucket, versioning: S3BucketVersioningA, days: int) -> None:
        S3BucketLifecycleConfiguration(
            self,
            "lifecycle",
            bucket=bucket.id,
            rule=[
                S3BucketLifecycleConfigurationRule(
                    id="expire",
                    status="Enabled",
                    filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
                    expiration=[S3BucketLifecycleConfigurationRuleExpiration(days=days)],
                    noncurrent_version_expiration=[
                        S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(noncurrent_days=30)
                    ],
                    abort_incomplete_multipart_upload=[
                        S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(days_after_initiation=7)
                    ],
                )
            ],
            depends_on=[versioning],
        )


def _delivery_principal(account: Account) -> dict[str, tuple[str, ...]]:
    delivery_account = DELIVERY_ACCOUNTS.get(account.region)
    if delivery_account:
        return {"AWS": (f"arn:{account.partition}:iam::{delivery_account}:root",)}
    return {"Service": ("logdelivery.elasticloadbalancing.amazonaws.com",)}
