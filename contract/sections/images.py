"""Section `images`: container images of one's own. The kept stack has their repositories."""

from __future__ import annotations

from contract.kinds import Kind
from contract.outputs import Output, Outputs
from contract.section import SectionRecord, Stack


class ImagesOutputs(Outputs):
    """Outputs of the stack `images`; of `web` and of `server` only where the section has them."""

    stack = "images"

    web_project = Output("The CodeBuild project that builds the image of OMERO.web.")
    web_tag = Output("The tag that it gives that image, by what the image is made of.")
    server_project = Output("The CodeBuild project that builds the image of OMERO.server.")
    server_tag = Output("The tag that it gives that image, by what the image is made of.")
    log_group_name = Output("The log of builds.")


class ImageRepositoriesOutputs(Outputs):
    """Outputs of the stack `image_repositories`, which outlives the stack `images`."""

    stack = "image_repositories"

    web_repository = Output("The ECR repository of OMERO.web's images.")
    server_repository = Output("The ECR repository of OMERO.server's images.")


RECORD = SectionRecord(
    key="images",
    stack=Stack(class_="stacks.images.ImagesStack", comes="before_omero", outputs=ImagesOutputs),
    kept=Stack(class_="stacks.kept.ImageRepositories", comes="before_omero", outputs=ImageRepositoriesOutputs),
    kinds={
        "ECR repository": Kind(service="ecr", operation="describe_repositories", ids="repositories[].repositoryName"),
        "CodeBuild project": Kind(service="codebuild", operation="list_projects", ids="projects[]"),
    },
    rehearsal="scripts.rehearsal.images.REHEARSAL",
    command=None,
)
