"""Section `appstream`: OMERO.insight in a browser, all of it made by scripts."""

from __future__ import annotations

from contract.kinds import Kind
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
)
