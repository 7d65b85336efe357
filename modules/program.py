"""A program as an object of a bucket of its own, named by its SHA-256: what runs it needs no new definition for it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cdktf import Fn, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.s3_object import (
    S3Object,
    S3ObjectOverrideProvider,
    S3ObjectOverrideProviderDefaultTags,
)
from constructs import Construct

from contract.policy import Statement
from modules.addresses import MAIN
from modules.bucket import Bucket, BucketProps


@dataclass(frozen=True, kw_only=True)
class ProgramProps:
    """`archive` is the program in base64; its object is `<folder>/<SHA-256>` of the bucket, encrypted with the key."""

    bucket_name: str
    key_arn: str
    folder: str
    archive: str


class Program(Construct):
    """`bucket_name`; `digest` is the SHA-256 in hex, known once the object is there; `use` is the right to read it.

    A former object goes once nothing names it any more: whatever has read a digest finds its object, or a newer digest.
    """

    def __init__(self, scope: Construct, id_: str, props: ProgramProps) -> None:
        super().__init__(scope, id_)
        # Made from this repository, and made again by the next deployment.
        bucket = Bucket(
            self,
            "bucket",
            BucketProps(name=props.bucket_name, key_arn=props.key_arn, retain=False, versions_kept=1),
        )
        digest = hashlib.sha256(base64.b64decode(props.archive)).hexdigest()
        program = S3Object(
            self,
            MAIN,
            bucket=bucket.name,
            key=f"{props.folder}/{digest}",
            content_base64=props.archive,
            content_type="application/x-bzip2",
            kms_key_id=props.key_arn,
            # S3 takes 10 tags on an object, and a workspace may have 40.
            override_provider=S3ObjectOverrideProvider(default_tags=S3ObjectOverrideProviderDefaultTags(tags={})),
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        self.bucket_name = bucket.name
        self.digest = Fn.trimprefix(program.key, f"{props.folder}/")
        self.use = Statement(
            sid="ReadProgram", actions=("s3:GetObject",), resources=(f"{bucket.arn}/{props.folder}/*",)
        )
