"""Section `appstream`: OMERO.insight in a browser, all of it made by scripts."""

from __future__ import annotations

from contract.kinds import Kind, ScriptMade
from contract.section import SectionRecord

RECORD = SectionRecord(
    key="appstream",
    stack=None,
    kinds={
        "AppStream fleet": Kind(service="appstream", operation="describe_fleets", ids="Fleets[].Name"),
        "AppStream stack": Kind(service="appstream", operation="describe_stacks", ids="Stacks[].Name"),
    },
    # No archive of OMERO.insight is at hand: `omero-aws appstream` is proved by tests of its own.
    rehearsal=None,
    command="omero-aws appstream",
    # Their instances have interfaces in the workspace's subnets.
    script_made=(
        ScriptMade(
            what="AppStream fleet",
            service="appstream",
            operation="describe_fleets",
            rows="Fleets[].[Name, Arn]",
            tags_argument="ResourceArn",
            stands_on=("network",),
        ),
        ScriptMade(
            what="AppStream image builder",
            service="appstream",
            operation="describe_image_builders",
            rows="ImageBuilders[].[Name, Arn]",
            tags_argument="ResourceArn",
            stands_on=("network",),
        ),
    ),
)
