"""Synthesise the stacks of the selected workspace into `cdktf.out/`.

`TF_WORKSPACE` selects `workspaces/<name>.yaml`, by default `demo`. Run by `cdktf synth`, `deploy` and the like.
Exit codes: 0 done; 2 the workspace cannot be used, one sentence a fault on stderr, nothing written.
"""

from __future__ import annotations

import sys

from modules import bindings
from settings import SettingsError, Workspace, load


def build(workspace: Workspace, outdir: str | None = None) -> None:
    """Write every stack of `workspace` below `outdir`, by default where cdktf wants them."""
    bindings.install()
    # cdktf takes seconds to import: a workspace that is refused should not wait for it.
    from cdktf import App  # noqa: PLC0415

    from stacks.data import DataStack  # noqa: PLC0415
    from stacks.network import NetworkStack  # noqa: PLC0415
    from stacks.omero import OmeroStack  # noqa: PLC0415

    app = App(outdir=outdir)
    network = NetworkStack(app, workspace)
    data = DataStack(app, workspace, network)
    OmeroStack(app, workspace, network, data)
    app.synth()


def main() -> int:
    try:
        workspace = load()
    except SettingsError as error:
        sys.stderr.writelines(f"error: {fault}\n" for fault in error.faults)
        return 2
    build(workspace)
    return 0


if __name__ == "__main__":
    sys.exit(main())
