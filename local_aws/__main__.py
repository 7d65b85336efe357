"""`python -m local_aws`: serve AWS on this machine, in the foreground, until it is interrupted.

Exit codes: 0 stopped by a signal; 2 the port, the region or the state file cannot be used, nothing was started.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from local_aws.serve import NotStarted, serve


def main(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free port that the system chooses.")] = 0,
    region: Annotated[str, typer.Option(help="The region in the printed environment.")] = "eu-west-1",
    state_file: Annotated[
        Path | None, typer.Option(help="Write {port, pid, endpoint} here once it answers; removed at the end.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No line for each call; gaps are logged all the same.")
    ] = False,
    stop_with_stdin: Annotated[
        bool, typer.Option("--stop-with-stdin", help="Stop when the standard input closes, as when a parent dies.")
    ] = False,
) -> None:
    """Serve AWS on 127.0.0.1 until SIGINT or SIGTERM."""
    try:
        serve(port=port, region=region, state_file=state_file, quiet=quiet, stop_with_stdin=stop_with_stdin)
    except NotStarted as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from error


def run() -> None:
    """The console script `local-aws`."""
    typer.run(main)


if __name__ == "__main__":
    run()
