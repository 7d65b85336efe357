"""Builds of CodeBuild: one at a time for an image, followed to the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contract import images
from contract.images import Recipe
from contract.outputs import Output
from contract.sections.images import ImageRepositoriesOutputs, ImagesOutputs
from scripts import aws, console
from scripts.aws import waiting
from scripts.errors import Failed, Refused
from scripts.images import repositories
from scripts.ingest.deployment import DeployedWorkspace, deploy_command

TAIL_LINES = 30
ENDED = ("SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED")
# Beyond what CodeBuild itself allows a build, 30 minutes in the queue and 30 at work (`modules.image_build`).
WAIT_SECONDS = 3_900.0
_RECENT = 10

_OUTPUTS: Mapping[str, tuple[Output, Output, Output]] = {
    "web": (ImagesOutputs.web_project, ImagesOutputs.web_tag, ImageRepositoriesOutputs.web_repository),
    "server": (ImagesOutputs.server_project, ImagesOutputs.server_tag, ImageRepositoriesOutputs.server_repository),
}


def check(recipe: Recipe) -> None:
    """Refuse a base that can change.

    Raises:
        Refused: the base has no digest.
    """
    if "@sha256:" not in recipe.base:
        raise Refused(
            f"images.{recipe.role}.base {recipe.base} has no digest, so that two builds could differ; run `omero-aws "
            "images pin` where the registry can be reached, or add @sha256: and the digest yourself."
        )


def build(deployed: DeployedWorkspace, recipe: Recipe) -> str:
    """The image's name with its digest: the one that is there, or else built now.

    Raises:
        Refused: the stack that is deployed would build another image.
        Failed: the build failed; the end of its log is shown.
    """
    project, tag, repository = (deployed.parameter(each) for each in _OUTPUTS[recipe.role])
    if tag != recipe.tag:
        raise Refused(
            f"the deployed stack {ImagesOutputs.stack} builds {tag}, and the workspace means {recipe.tag}; deploy it "
            f"first: `{deploy_command(deployed.workspace, ImagesOutputs.stack)}`."
        )
    found = _there(deployed, recipe)
    if found:
        console.say(f"{repository}:{tag} is there already; nothing is built.")
    else:
        _follow(deployed, recipe, project)
        found = _there(deployed, recipe)
    if found is None:
        raise Failed(f"the build succeeded, and {repository} has no {tag}; look at the log of project {project}.")
    return f"{repository}:{tag}@{found}"


def _there(deployed: DeployedWorkspace, recipe: Recipe) -> str | None:
    """The digest of the image, if it is in the repository."""
    name = images.repository(deployed.workspace.name, recipe.role)
    return repositories.digest(deployed.client("ecr"), name, recipe.tag)


def _follow(deployed: DeployedWorkspace, recipe: Recipe, project: str) -> None:
    codebuild = deployed.client("codebuild")
    id_ = _running(codebuild, project)
    if id_:
        console.say(f"build {id_} is running already; this follows it.")
    else:
        # Asked once: a second build would find the tag taken.
        id_ = str(deployed.client("codebuild", once=True).start_build(projectName=project)["build"]["id"])
        console.say(f"build {id_} has started.")
    last: dict[str, Any] = {}

    def state() -> str:
        last.update(codebuild.batch_get_builds(ids=[id_])["builds"][0])
        status = str(last["buildStatus"])
        return status if status in ENDED else str(last.get("currentPhase", status))

    if waiting.wait_for(f"the image of {recipe.role}", state, until=ENDED, seconds=WAIT_SECONDS) != "SUCCEEDED":
        _show_log(deployed, last)
        raise Failed(f"build {id_} ended with {last['buildStatus']}{_reason(last)}; nothing was changed.")


def _running(codebuild: Any, project: str) -> str | None:
    ids = codebuild.list_builds_for_project(projectName=project, sortOrder="DESCENDING")["ids"][:_RECENT]
    found = codebuild.batch_get_builds(ids=ids)["builds"] if ids else []
    return next((str(each["id"]) for each in found if each["buildStatus"] == "IN_PROGRESS"), None)


def _show_log(deployed: DeployedWorkspace, build: dict[str, Any]) -> None:
    """The end of a build's log; that it cannot be read is not worth hiding the failure for."""
    logs = build.get("logs", {})
    try:
        events = deployed.client("logs").get_log_events(
            logGroupName=logs["groupName"], logStreamName=logs["streamName"], limit=TAIL_LINES, startFromHead=False
        )["events"]
    except KeyError:  # it ended before there was one
        return
    except aws.ERRORS as error:
        console.say(aws.sentence(error))
        return
    for event in events:
        console.say(f"  {event['message'].rstrip()}")


def _reason(build: dict[str, Any]) -> str:
    contexts = [each for phase in build.get("phases", []) for each in phase.get("contexts", []) if each.get("message")]
    if not contexts:
        return ""
    phase = next(each["phaseType"] for each in build["phases"] if each.get("contexts"))
    return f" in {phase} ({contexts[0]['message'].rstrip('.')})"
