"""The stacks of what outlives its section: each holds what is kept, and nothing that goes.

With `retain: true`, Terraform refuses to destroy a bucket or a repository and its key, and so their whole stack. Apart
from it, the stack of the section can be destroyed and deployed again. A section that is taken out of the file of the
workspace leaves its kept stack as it is: nothing plans it any more.
"""

from __future__ import annotations

from constructs import Construct

from contract import images, names
from contract.outputs import Output
from contract.sections.datasync import DataSyncBucketsOutputs
from contract.sections.file_gateway import FileGatewayBucketOutputs
from contract.sections.images import ImageRepositoriesOutputs
from modules.bucket import Bucket, BucketProps
from modules.repository import Repository, RepositoryProps
from settings import Workspace
from settings.datasync import DataSync
from settings.file_gateway import FileGateway
from settings.images import Images
from stacks.built import Built
from stacks.sections import SectionStack


class _KeptStack(SectionStack):
    """`key_arn` is that of what is kept: the data's own where the workspace names one, else one of this stack."""

    def __init__(self, scope: Construct, id_: str, workspace: Workspace, what: str) -> None:
        super().__init__(scope, id_, workspace)
        self.key_arn = workspace.data.key_arn or self.key(what, retain=workspace.retain).arn

    def _bucket(
        self,
        id_: str,
        role: str,
        output: Output,
        *,
        announce: bool = False,
        versions_kept: int | None = None,
        expire_days: int | None = None,
    ) -> Bucket:
        workspace = self.workspace
        bucket = Bucket(
            self,
            id_,
            BucketProps(
                name=names.bucket(workspace.name, role, workspace.account_id, workspace.region),
                key_arn=self.key_arn,
                retain=workspace.retain,
                announce=announce,
                versions_kept=versions_kept,
                expire_days=expire_days,
            ),
        )
        self.publish(output, bucket.name)
        return bucket


class DataSyncBuckets(_KeptStack):
    """`bucket` is for images, None if the workspace names its own; `reports` has what became of each."""

    def __init__(self, scope: Construct, workspace: Workspace, built: Built, settings: DataSync) -> None:
        super().__init__(scope, "datasync_buckets", workspace, "images in DataSync's bucket, and its reports")
        self.bucket: Bucket | None = None
        if settings.bucket is None:
            self.bucket = self._bucket(
                "bucket", "datasync", DataSyncBucketsOutputs.bucket_name, announce=settings.start_on_arrival
            )
        # Apart from the images: beside them, every report would be copied, and its arrival start an execution.
        self.reports = self._bucket(
            "reports",
            "ds-reports",
            DataSyncBucketsOutputs.report_bucket_name,
            expire_days=settings.log_retention_days,
        )


class FileGatewayBucket(_KeptStack):
    """`bucket` is what the share shows."""

    def __init__(self, scope: Construct, workspace: Workspace, built: Built, settings: FileGateway) -> None:
        super().__init__(scope, "file_gateway_bucket", workspace, "images in the File Gateway's bucket")
        self.bucket = self._bucket(
            "bucket",
            "share",
            FileGatewayBucketOutputs.bucket_name,
            versions_kept=settings.versions_kept,
            announce=True,
        )


class ImageRepositories(_KeptStack):
    """`repositories`, by `web` and `server`. Tasks that run an image of there cannot start without it."""

    def __init__(self, scope: Construct, workspace: Workspace, built: Built, settings: Images) -> None:
        super().__init__(scope, "image_repositories", workspace, "container images of one's own")
        outputs = {"web": ImageRepositoriesOutputs.web_repository, "server": ImageRepositoriesOutputs.server_repository}
        self.repositories = {role: self._repository(role, outputs[role]) for role in settings.all}

    def _repository(self, role: str, output: Output) -> Repository:
        workspace = self.workspace
        name = images.repository(workspace.name, role)
        made = Repository(self, role, RepositoryProps(name=name, key_arn=self.key_arn, retain=workspace.retain))
        self.publish(output, made.url)
        return made
