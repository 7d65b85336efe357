"""What the stacks are made of, with the real Terraform and AWS provider: applied, planned empty, changed, destroyed.

It takes about three minutes, nearly all of it the provider's own waits (see `local_aws.services`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from local_aws.server import LocalAws
from scripts import terraform, toolchain

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = Path(__file__).with_name("terraform")
PLAN_FINDS_NOTHING = 0

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs Terraform on a copy of the fixture."""
    found = terraform.find(ROOT, os.environ)
    if found is None:
        pytest.skip("there is no Terraform that is new enough")
    if not toolchain.provider_from_mirror(os.environ):
        pytest.skip("there is no mirror that holds the AWS provider")
    folder = shutil.copytree(FIXTURE, tmp_path / "configuration")
    config = toolchain.write_cli_config(tmp_path, os.environ)

    def terraform_with(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(found.path), *arguments],
            cwd=folder,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))},
                **environ,
                "TF_CLI_CONFIG_FILE": str(config),
                "TF_IN_AUTOMATION": "1",
                "CHECKPOINT_DISABLE": "1",
            },
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    return terraform_with


def test_configuration_is_applied_changed_and_destroyed(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with LocalAws(log=log) as aws:

        def succeed(*arguments: str, expected: int = 0) -> str:
            done = run(aws.environ(), *arguments)
            assert done.returncode == expected, f"{arguments[0]}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
            return done.stdout

        apply = ("-auto-approve", "-input=false", "-no-color", "-parallelism=20")
        plan = ("plan", "-input=false", "-no-color", "-detailed-exitcode")
        succeed("init", "-input=false", "-no-color")
        succeed("apply", *apply)
        succeed(*plan, expected=PLAN_FINDS_NOTHING)

        ecs = boto3.Session(region_name=aws.region).client(
            "ecs", endpoint_url=aws.endpoint, aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        before = set(ecs.list_tasks(cluster="rehearsal")["taskArns"])
        changed = ("-var=image=example/server:2",)
        succeed("apply", *apply, *changed)
        succeed(*plan, *changed, expected=PLAN_FINDS_NOTHING)
        assert before.isdisjoint(ecs.list_tasks(cluster="rehearsal")["taskArns"])
        for service in ecs.describe_services(cluster="rehearsal", services=["server", "web"])["services"]:
            assert [each["rolloutState"] for each in service["deployments"]] == ["COMPLETED"]
            assert service["runningCount"] == service["desiredCount"]

        succeed("destroy", *apply, *changed)
        assert ecs.describe_clusters(clusters=["rehearsal"])["clusters"][0]["status"] == "INACTIVE"
    assert "NotImplemented" not in log.read_text()
    assert "LocalAwsFault" not in log.read_text()
