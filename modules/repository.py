"""An ECR repository: tags that stay what they are, images scanned when they are pushed, encrypted with a key."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecr_lifecycle_policy import EcrLifecyclePolicy
from cdktf_cdktf_provider_aws.ecr_repository import (
    EcrRepository,
    EcrRepositoryEncryptionConfiguration,
    EcrRepositoryImageScanningConfiguration,
)
from constructs import Construct

from modules.addresses import MAIN

# Of what no tag names: parts of a push that did not end. A tag is never taken away, so tagged images stay.
UNTAGGED_DAYS = 14


@dataclass(frozen=True, kw_only=True)
class RepositoryProps:
    """`retain` keeps Terraform from destroying it; without it, `terraform destroy` deletes it with all its images."""

    name: str
    key_arn: str
    retain: bool


class Repository(Construct):
    """`url` is what the names of its images begin with, `arn` and `name` are its own."""

    def __init__(self, scope: Construct, id_: str, props: RepositoryProps) -> None:
        super().__init__(scope, id_)
        repository = EcrRepository(
            self,
            MAIN,
            name=props.name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=EcrRepositoryImageScanningConfiguration(scan_on_push=True),
            encryption_configuration=[
                EcrRepositoryEncryptionConfiguration(encryption_type="KMS", kms_key=props.key_arn)
            ],
            force_delete=not props.retain,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=props.retain),
        )
        rule = {
            "rulePriority": 1,
            "description": "Parts of images that no tag names",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        }
        EcrLifecyclePolicy(self, "lifecycle", repository=repository.name, policy=json.dumps({"rules": [rule]}))
        self.name = repository.name
        self.arn = repository.arn
        self.url = repository.repository_url
