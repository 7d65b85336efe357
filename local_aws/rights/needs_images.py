"""Rights for calls of ECR and CodeBuild."""

from __future__ import annotations

from collections.abc import Iterator

from local_aws.rights.needs import Call, Need, row, simple

simple("ecr", "*", "GetAuthorizationToken")
simple(
    "ecr",
    "ecr:repository/{repositoryName}",
    "BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload DescribeImages GetDownloadUrlForLayer"
    " InitiateLayerUpload PutImage UploadLayerPart",
)
simple("codebuild", "codebuild:project/{projectName}", "ListBuildsForProject StartBuild")


@row("codebuild:BatchGetBuilds")
def _builds(call: Call) -> Iterator[Need]:
    # The right is that of the project, with whose name the build's id begins (Service Authorization Reference).
    for each in call.asked["ids"]:
        yield Need("codebuild:BatchGetBuilds", call.arn(f"codebuild:project/{str(each).partition(':')[0]}"))


@row("codebuild:StopBuild")
def _stop(call: Call) -> Iterator[Need]:
    yield Need("codebuild:StopBuild", call.arn(f"codebuild:project/{str(call.asked['id']).partition(':')[0]}"))
