"""Synthesise the stacks of the selected workspace into `cdktf.out/`.

`TF_WORKSPACE` selects `workspaces/<name>.yaml`, by default `demo`. Run by `cdktf synth`, `deploy` and the like.
`python main.py --list` prints the table of topologies instead.

Exit codes: 0 done; 2 the workspace cannot be used, one sentence a fault on stderr, nothing written.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from modules import bindings
from settings import SettingsError, Workspace, load
from settings.topology import TOPOLOGIES


def build(workspace: Workspace, outdir: str | None = None) -> None:
    """Write every stack of `workspace` below `outdir`, by default where cdktf wants them."""
    bindings.install()
    # cdktf takes seconds to import: a workspace that is refused should not wait for it.
    from cdktf import App, TerraformStack  # noqa: PLC0415

    from modules.ways_out import keep_ways_out  # noqa: PLC0415
    from stacks.built import Built  # noqa: PLC0415
    from stacks.data import DataStack  # noqa: PLC0415
    from stacks.frontend import FrontendStack  # noqa: PLC0415
    from stacks.network import NetworkStack  # noqa: PLC0415
    from stacks.omero import OmeroStack  # noqa: PLC0415
    from stacks.sections import build_sections  # noqa: PLC0415

    app = App(outdir=outdir)
    network = NetworkStack(app, workspace)
    built = Built(
        network=network, data=DataStack(app, workspace, network), frontend=FrontendStack(app, workspace, network)
    )
    build_sections(app, workspace, built, comes="before_omero")
    built.omero = OmeroStack(app, workspace, built)
    build_sections(app, workspace, built, comes="after_omero")
    for stack in app.node.children:
        if isinstance(stack, TerraformStack):
            keep_ways_out(stack)
    app.synth()


def table() -> str:
    """The topologies: name, what sets each apart, where the servers may run, and what it creates."""
    rows: list[tuple[str, ...]] = [("topology", "TLS", "NLB", "read-only", "share", "servers on", "")]
    for name, row in TOPOLOGIES.items():
        traits = ("yes" if trait else "no" for trait in (row.tls, row.nlb, row.read_only, row.share))
        rows.append((name, *traits, " or ".join(row.launch_types), row.description))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def main(arguments: Sequence[str]) -> int:
    if list(arguments) == ["--list"]:
        sys.stdout.write(f"{table()}\n")
        return 0
    if arguments:
        sys.stderr.write(f"error: main.py does not know {' '.join(arguments)}; allowed: --list, or nothing.\n")
        return 2
    try:
        workspace = load()
    except SettingsError as error:
        sys.stderr.writelines(f"error: {fault}\n" for fault in error.faults)
        return 2
    build(workspace)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
