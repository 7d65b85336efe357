"""Whether a deployment with an image that cannot be pulled ends with exit code 1 and its reason, and can be undone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from contract import names
from contract.outputs import Omero
from local_aws.testing.faults import add_faults, forget_faults
from scripts.errors import Failed
from scripts.process import read
from scripts.rehearsal.run import Rehearsal
from settings.load import FOLDER_VARIABLE, ROOT

IMAGE = "openmicroscopy/omero-server:9.9.9-bad"
REASON = "CannotPullContainerError"


def rehearse(run: Rehearsal, copies: Path) -> None:
    """Deploy `copies`, workspace files with that image for OMERO.server; then the good one again.

    Raises:
        Failed: the first was no failure, or had no reason; or the second was one.
    """
    endpoint = run.environ["AWS_ENDPOINT_URL"]
    before = _definition(run)
    add_faults(endpoint, "ecs", {"image": [f"{REASON} {IMAGE}"]})
    code, text = _deploy({**run.environ, FOLDER_VARIABLE: str(copies)}, out=copies / "cdktf.out", run=run, log="bad")
    forget_faults(endpoint, "ecs")
    flat = " ".join(text.split())
    service = names.physical("service", run.workspace.name, "server")
    if code != 1 or f"ECS rolled back the deployment of service {service}, whose tasks failed: {REASON}" not in flat:
        raise Failed(f"a deployment whose image cannot be pulled ended with exit code {code}, or without ECS's reason.")
    if _definition(run) != before:
        raise Failed(f"ECS did not go back to {before}, which ran before an image that cannot be pulled.")
    code, _ = _deploy(run.environ, out=run.out, run=run, log="good")
    if code:
        raise Failed(f"after a bad image, the deployment of the good one ended with exit code {code}.")


def _deploy(environ: Mapping[str, str], *, out: Path, run: Rehearsal, log: str) -> tuple[int, str]:
    words = [sys.executable, "-m", "scripts.main", "deploy", Omero.stack, "--yes", "--", "--output", str(out)]
    code, text = read(words, environ=environ, folder=ROOT)
    (run.folder / f"deploy-{log}.log").write_text(text, encoding="utf-8")
    return code, text


def _definition(run: Rehearsal) -> str:
    """The task definition that the read-write server's service runs."""
    service = names.physical("service", run.workspace.name, "server")
    found = run.session().client("ecs").describe_services(cluster=names.cluster(run.workspace.name), services=[service])
    return str(found["services"][0]["taskDefinition"])
