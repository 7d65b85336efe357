"""A CodeBuild project that builds a container image from a Dockerfile, and pushes it to an ECR repository.

It runs in CodeBuild's own network: it fetches public packages and images, and runs what is in them, so that it has no
business beside the database and the images in the VPC. It has no secret, and its role can write one repository.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.codebuild_project import (
    CodebuildProject,
    CodebuildProjectArtifacts,
    CodebuildProjectEnvironment,
    CodebuildProjectEnvironmentEnvironmentVariable,
    CodebuildProjectLogsConfig,
    CodebuildProjectLogsConfigCloudwatchLogs,
    CodebuildProjectSource,
)
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.s3_object import (
    S3Object,
    S3ObjectOverrideProvider,
    S3ObjectOverrideProviderDefaultTags,
)
from constructs import Construct

from contract import names
from contract.policy import Statement, document, trust
from modules.account import Account
from modules.addresses import MAIN
from modules.audit import skip
from modules.bucket import Bucket
from modules.repository import Repository

# A build of OME's image with a few packages takes some minutes, most of them for the base.
TIMEOUT_MINUTES = 30
# AWS's own, with Docker; it is x86, as OME's images are.
IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:5.0"

# Attestations would make an index of the image, with parts that no tag names (Docker's "Build variables").
BUILDSPEC = """\
version: 0.2
env:
  variables:
    BUILDX_NO_DEFAULT_ATTESTATIONS: "1"
phases:
  pre_build:
    commands:
      - aws ecr get-login-password | docker login --username AWS --password-stdin "$(dirname "$REPOSITORY")"
  build:
    commands:
      - docker build --pull --tag "$REPOSITORY:$TAG" .
      - docker push "$REPOSITORY:$TAG"
"""


@dataclass(frozen=True, kw_only=True)
class ImageBuildProps:
    """`files` are those of the folder that `docker build` is given, by name; `tag` is what the image gets.

    They travel by `bucket`, encrypted with the key `key_arn`, and builds log to `log_group`.
    """

    name: str
    description: str
    account: Account
    files: Mapping[str, str]
    tag: str
    repository: Repository
    bucket: Bucket
    key_arn: str
    log_group: CloudwatchLogGroup


class ImageBuild(Construct):
    """`name` is the project's, known once it has what it builds and may build it."""

    def __init__(self, scope: Construct, id_: str, props: ImageBuildProps) -> None:
        super().__init__(scope, id_)
        archive = packed(props.files)
        source = S3Object(
            self,
            "source",
            bucket=props.bucket.name,
            key=f"{id_}/{hashlib.sha256(archive).hexdigest()}.zip",
            content_base64=base64.b64encode(archive).decode(),
            content_type="application/zip",
            kms_key_id=props.key_arn,
            # S3 takes 10 tags on an object, and a workspace may have 40.
            override_provider=S3ObjectOverrideProvider(default_tags=S3ObjectOverrideProviderDefaultTags(tags={})),
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        role = IamRole(
            self,
            "role",
            name=names.suffixed("role", props.name, "-build"),
            assume_role_policy=trust(
                "codebuild.amazonaws.com",
                account_id=props.account.id,
                source_arn=props.account.arn("codebuild", f"project/{props.name}"),
            ),
        )
        policy = IamRolePolicy(self, "policy", name="build", role=role.id, policy=document(*_statements(id_, props)))
        project = CodebuildProject(
            self,
            MAIN,
            name=props.name,
            description=props.description,
            service_role=role.arn,
            encryption_key=props.key_arn,
            build_timeout=TIMEOUT_MINUTES,
            queued_timeout=TIMEOUT_MINUTES,
            source=CodebuildProjectSource(type="S3", location=f"{props.bucket.name}/{source.key}", buildspec=BUILDSPEC),
            artifacts=CodebuildProjectArtifacts(type="NO_ARTIFACTS"),
            environment=CodebuildProjectEnvironment(
                type="LINUX_CONTAINER",
                compute_type="BUILD_GENERAL1_SMALL",
                image=IMAGE,
                privileged_mode=True,
                environment_variable=[
                    CodebuildProjectEnvironmentEnvironmentVariable(name=name, value=value)
                    for name, value in (("REPOSITORY", props.repository.url), ("TAG", props.tag))
                ],
            ),
            logs_config=CodebuildProjectLogsConfig(
                cloudwatch_logs=CodebuildProjectLogsConfigCloudwatchLogs(group_name=props.log_group.name)
            ),
            depends_on=[policy],
        )
        skip(project, CKV_AWS_316="`docker build` needs it; the build has no secret, and no way into the VPC")
        self.name = project.name


def packed(files: Mapping[str, str]) -> bytes:
    """A ZIP archive of the files, the same wherever it is made: not compressed, for that differs by zlib's version."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            about = zipfile.ZipInfo(name)  # of 1980
            about.create_system = 3
            about.external_attr = 0o644 << 16
            archive.writestr(about, content)
    return made.getvalue()


def _statements(id_: str, props: ImageBuildProps) -> tuple[Statement, ...]:
    return (
        Statement(
            sid="WriteLog",
            actions=("logs:CreateLogStream", "logs:PutLogEvents"),
            resources=(f"{props.log_group.arn}:*",),
        ),
        Statement(
            sid="ReadSource",
            actions=("s3:GetObject", "s3:GetObjectVersion"),
            resources=(f"{props.bucket.arn}/{id_}/*",),
        ),
        Statement(
            sid="DecryptSource",
            actions=("kms:Decrypt",),
            resources=(props.key_arn,),
            conditions=props.account.kms_via("s3"),
        ),
        Statement(
            sid="LogInToRegistry",
            actions=("ecr:GetAuthorizationToken",),
            resources=("*",),
            any_resource_because="the action takes no narrower resource",
        ),
        Statement(
            sid="PushImage",
            # Amazon ECR User Guide, "IAM permissions for pushing an image".
            actions=(
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:CompleteLayerUpload",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ),
            resources=(props.repository.arn,),
        ),
    )
