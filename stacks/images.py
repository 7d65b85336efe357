"""Stack `images`: what builds container images of one's own. Their repositories are in `stacks.kept`."""

from __future__ import annotations

from typing import cast

from constructs import Construct

from contract import images, names
from contract.sections.images import ImageRepositoriesOutputs
from contract.sections.images import ImagesOutputs as Outputs
from modules.bucket import Bucket, BucketProps
from modules.image_build import ImageBuild, ImageBuildProps
from modules.log_group import log_group
from settings import Workspace
from settings.images import Images
from stacks.built import Built
from stacks.kept import ImageRepositories
from stacks.sections import SectionStack

TITLES = {"web": "OMERO.web", "server": "OMERO.server"}
PUBLISHED = {
    "web": (Outputs.web_project, Outputs.web_tag),
    "server": (Outputs.server_project, Outputs.server_tag),
}


class ImagesStack(SectionStack):
    """A CodeBuild project for each image; `omero-aws images build` starts it."""

    def __init__(self, scope: Construct, workspace: Workspace, built: Built, settings: Images) -> None:
        super().__init__(scope, "images", workspace)
        kept = cast("ImageRepositories", built.sections[ImageRepositoriesOutputs.stack])
        # Made from the workspace, and made again by the next deployment.
        bucket = Bucket(
            self,
            "sources",
            BucketProps(
                name=names.bucket(workspace.name, "images", workspace.account_id, workspace.region),
                key_arn=kept.key_arn,
                retain=False,
                versions_kept=1,
            ),
        )
        group = log_group(
            self,
            "log_group",
            name=names.physical("log_group", workspace.name, "images"),
            logs=built.network.log_settings(settings.log_retention_days),
        )
        for role, recipe in images.recipes(workspace).items():
            build = ImageBuild(
                self,
                role,
                ImageBuildProps(
                    name=images.project(workspace.name, role),
                    description=f"Builds the image of {TITLES[role]} of the workspace {workspace.name}",
                    account=self.account,
                    files=recipe.files,
                    tag=recipe.tag,
                    repository=kept.repositories[role],
                    bucket=bucket,
                    key_arn=kept.key_arn,
                    log_group=group,
                ),
            )
            project, tag = PUBLISHED[role]
            self.publish(project, build.name)
            self.publish(tag, recipe.tag)
        self.publish(Outputs.log_group_name, group.name)
