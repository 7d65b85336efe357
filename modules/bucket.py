"""An S3 bucket of our own: private, versioned, encrypted with a key, over TLS only."""

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

from contract.policy import deny_insecure_transport, document
from modules.addresses import MAIN
from modules.audit import skip

# Days that every older version is kept, however many there are.
NONCURRENT_DAYS = 90
# Of an object that expired; and parts of an upload that nobody finished are paid for and seen by no listing.
WEEK_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class BucketProps:
    """`versions_kept` older versions of an object are kept for good, 1 to 100; more go after 90 days. None keeps all.

    `expire_days` None keeps every object for good, and with `retain` Terraform refuses to destroy the bucket. Otherwise
    objects go after that many days, and older versions a week later. `retain` False lets `terraform destroy` delete the
    bucket with all that is in it. `announce` sends its events to EventBridge.
    """

    name: str
    key_arn: str
    retain: bool
    versions_kept: int | None = None
    expire_days: int | None = None
    announce: bool = False

    def __post_init__(self) -> None:
        if self.versions_kept is not None and not 1 <= self.versions_kept <= 100:
            raise ValueError(f"{self.versions_kept} older versions cannot be kept; S3 allows 1 to 100")


class Bucket(Construct):
    """`name` and `arn` are the bucket's, known once it is private."""

    def __init__(self, scope: Construct, id_: str, props: BucketProps) -> None:
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
            CKV_AWS_18="CloudTrail's data events tell more than S3's own access logs, for those who must know",
            CKV_AWS_144="a copy of images in a second region is each site's own decision",
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
        self._encrypt(bucket, props.key_arn)
        self._keep_versions(bucket, props)
        if props.announce:
            S3BucketNotification(self, "notification", bucket=bucket.id, eventbridge=True)
        policy = S3BucketPolicy(
            self,
            "policy",
            bucket=bucket.id,
            policy=document(deny_insecure_transport(bucket.arn, f"{bucket.arn}/*")),
            depends_on=[block],
        )
        # The policy's own attribute: nobody is told the name before.
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
                    # Else every object that is read is a request to KMS.
                    bucket_key_enabled=True,
                )
            ],
        )

    def _keep_versions(self, bucket: S3Bucket, props: BucketProps) -> None:
        versioning = S3BucketVersioningA(
            self,
            "versioning",
            bucket=bucket.id,
            versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
        )
        S3BucketLifecycleConfiguration(
            self, "lifecycle", bucket=bucket.id, rule=[_rule(props)], depends_on=[versioning]
        )


def _rule(props: BucketProps) -> S3BucketLifecycleConfigurationRule:
    """What S3 deletes by itself: always unfinished uploads, and what the workspace says."""
    expiration: S3BucketLifecycleConfigurationRuleExpiration | None = None
    older: S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration | None = None
    if props.expire_days is not None:
        expiration = S3BucketLifecycleConfigurationRuleExpiration(days=props.expire_days)
        older = S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(noncurrent_days=WEEK_DAYS)
    elif props.versions_kept is not None:
        # The mark of an object whose versions are all gone.
        expiration = S3BucketLifecycleConfigurationRuleExpiration(expired_object_delete_marker=True)
        older = S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(
            noncurrent_days=NONCURRENT_DAYS, newer_noncurrent_versions=props.versions_kept
        )
    return S3BucketLifecycleConfigurationRule(
        id="old-versions",
        status="Enabled",
        filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
        expiration=[expiration] if expiration else None,
        noncurrent_version_expiration=[older] if older else None,
        abort_incomplete_multipart_upload=[
            S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(days_after_initiation=WEEK_DAYS)
        ],
    )
