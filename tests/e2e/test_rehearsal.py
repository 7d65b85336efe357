"""`make rehearse`, as a user runs it: real Terraform and provider against the local AWS."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_demo_deploys_plans_empty_and_goes(tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("w+") as stderr:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.main", "rehearse", "demo", "--json"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
        )
        stderr.seek(0)
        said = stderr.read()
    assert done.returncode == 0, said
    report = json.loads(done.stdout)
    assert {stack for stack, count in report["resources"].items() if count > 20} == {"network", "data", "omero"}
    assert report["outputs"]["omero"]["web_url"].startswith("http://")
    assert report["outputs"]["omero"]["server_host"] == "server.demo.omero.internal"
    assert list(report["seconds"]) == [
        "state ensure",
        "cdktf deploy '*'",
        "plan again",
        "plan an update",
        "import slides",
        "look for secrets",
        "cdktf destroy '*'",
        "look for what is left",
    ]
    assert "The second plan found nothing to change." in said
