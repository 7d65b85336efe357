"""The part of a rehearsal that delivers by SFTP: endpoint, sender, a file there and back; and all of it away again."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncssh

from contract import operators as documented
from scripts.errors import Failed
from scripts.process import read
from scripts.rehearsal import operators
from scripts.rehearsal.run import Rehearsal
from scripts.rehearsal.section import SectionRehearsal, Step
from settings.load import ROOT

SENDER = "rehearsal"


def deliver(run: Rehearsal) -> None:
    """Make the endpoint and a sender with `sftp`, as a person would, and deliver a file.

    Raises:
        Failed: a command did, or a second `ensure` found something to change.
    """
    folder = run.folder
    key = folder / "sender"
    made = asyncssh.generate_private_key("ssh-ed25519")
    made.write_private_key(key)
    made.write_public_key(key.with_suffix(".pub"))
    with operators.acting(run, "sftp", documented.sftp) as environ:
        _deliver(environ, folder, key)


def _deliver(environ: Mapping[str, str], folder: Path, key: Path) -> None:
    sftp(environ, folder, "ensure")
    if changes := json.loads(sftp(environ, folder, "ensure", "--json"))["changes"]:
        raise Failed(f"a second `sftp ensure` would have changed something: {'; '.join(changes)}.")
    sftp(environ, folder, "user", "add", SENDER, "--key", str(key.with_suffix(".pub")))
    at = server(environ)
    where = ("--host", str(at["host"]), "--port", str(at["port"]))
    sftp(environ, folder, "test", SENDER, "--key", str(key), *where, "--size-mib", "1")


def tear_down(run: Rehearsal) -> None:
    """Take away what `deliver` made.

    Raises:
        Failed: `sftp teardown` did.
    """
    with operators.acting(run, "sftp", documented.sftp) as environ:
        sftp(environ, run.folder, "teardown", "--yes", "--everything")


def sftp(environ: Mapping[str, str], folder: Path, *words: str) -> str:
    """Run `sftp` with these words; what it says. All of it goes to a log in `folder`.

    Raises:
        Failed: it did; with its own last line.
    """
    command = [sys.executable, "-m", "scripts.main", "sftp", *words]
    code, text = read(command, environ=environ, folder=ROOT)
    with (folder / "sftp.log").open("a", encoding="utf-8") as log:
        log.write(text)
    if code:
        last = text.strip().splitlines()[-1:] or [""]
        raise Failed(f"`sftp {words[0]}` ended with exit code {code}: {last[0]}")
    return text[text.index("{") :] if "--json" in words else text


def server(environ: Mapping[str, str]) -> dict[str, Any]:
    """Where the only server listens, on this machine (`host`, `port`), and its `host_keys`: asked of the local AWS."""
    with urllib.request.urlopen(f"{environ['AWS_ENDPOINT_URL']}/_local/transfer/servers", timeout=30) as answer:  # noqa: S310
        servers: dict[str, dict[str, Any]] = json.load(answer)
    (found,) = servers.values()
    return found


REHEARSAL = SectionRehearsal(
    steps=(
        Step(
            name="deliver by SFTP",
            moment="deployed",
            run=deliver,
            proved="A sender delivered a file by SFTP; a second `sftp ensure` changed nothing.",
        ),
        Step(name="sftp teardown", moment="before_destroy", run=tear_down),
    )
)
