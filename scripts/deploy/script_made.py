"""What scripts made for a workspace, without Terraform: it has to go before the stacks that it stands on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import boto3
import jmespath

from contract import names
from contract.kinds import ScriptMade
from contract.sections import SECTIONS
from scripts import aws, console
from scripts.deploy.backend import StateBackend
from scripts.errors import Refused


def check(state: StateBackend, patterns: Sequence[str]) -> None:
    """Refuse to destroy a stack (by its name's `patterns`) that something which scripts made stands on.

    Every section is asked, for one may have been taken out of the workspace's file. What AWS denies or does not answer
    is told and passed over: it must not keep anybody from destroying.

    Raises:
        Refused: there is something; the sentence names it and the teardown.
    """
    workspace = state.workspace
    session = state.session if state.region == workspace.region else aws.session(workspace)
    for record in SECTIONS.values():
        for kind in record.script_made:
            stands_on = [stack for stack in kind.stands_on if any(fnmatchcase(stack, each) for each in patterns)]
            if not stands_on or not _offered(session, kind, workspace.region):
                continue
            try:
                tags = {"Workspace": workspace.name, "ManagedBy": record.command or ""}
                found = next(_ids(session.client(kind.service), kind, tags), None)  # type: ignore[call-overload]
            except aws.ERRORS as error:
                console.say(f"could not check for any {kind.what}: {aws.sentence(error)}")
                continue
            if found:
                raise Refused(
                    f"the {kind.what} {found}, which `{record.command}` created, needs the stack "
                    f"{' and the stack '.join(stands_on)}; run `{record.command} teardown -w {workspace.name}` first. "
                    "Nothing was destroyed."
                )


def _offered(session: boto3.Session, kind: ScriptMade, region: str) -> bool:
    """Whether the service is in the region, as far as boto3 knows."""
    return region in session.get_available_regions(kind.service, partition_name=names.partition(region))


def _ids(client: Any, kind: ScriptMade, wanted: dict[str, str]) -> Iterator[str]:
    """The ids of those that have the tags."""
    for page in aws.pages(client, kind.operation):
        for id_, arn in jmespath.search(kind.rows, page) or ():
            answer = aws.read(
                lambda arn=arn: client.list_tags_for_resource(**{kind.tags_argument: arn}),  # type: ignore[misc]
                "ResourceNotFoundException",
            )
            tags = (answer or {}).get("Tags") or {}
            if wanted.items() <= (tags if isinstance(tags, dict) else aws.tag_dict(tags)).items():
                yield str(id_)
