"""What follows a deployment says what ECS does: against an ECS that rolls back, and where health comes late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract import names
from local_aws.server import LocalAws
from local_aws.testing.ecs import Ecs, until
from local_aws.testing.faults import add_faults, forget_faults
from local_aws.testing.fixtures import aws, client, ecs, files_root, network, role, stand_ins
from scripts import aws as scripts_aws
from scripts.aws import waiting
from scripts.deploy import rollouts, runner
from scripts.deploy.rollouts import Rollouts
from scripts.errors import Failed
from tests.conftest import workspace

__all__ = ["aws", "client", "ecs", "files_root", "network", "role", "stand_ins"]

BAD = "openmicroscopy/omero-server:bad"
BREAKER = {
    "deploymentCircuitBreaker": {"enable": True, "rollback": True},
    "minimumHealthyPercent": 0,
    "maximumPercent": 100,
}


class Session:
    """Of boto3, whose only client is the local AWS's ECS."""

    def __init__(self, ecs: Ecs) -> None:
        self._client = ecs.client

    def client(self, name: str) -> Any:
        assert name == "ecs"
        return self._client


@pytest.fixture(autouse=True)
def poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.05)


@pytest.fixture
def marked(aws: LocalAws) -> Iterator[Any]:
    """Marks the bad image with a fault."""
    yield lambda fault: add_faults(aws.endpoint, "ecs", {"image": [f"{fault} {BAD}"]})
    forget_faults(aws.endpoint, "ecs")


def _definition(ecs: Ecs, image: str = BAD) -> str:
    check = {"command": ["CMD-SHELL", "true"], "startPeriod": 300, "interval": 30, "retries": 5}
    return ecs.definition(containerDefinitions=[{"name": "server", "image": image, "healthCheck": check}])


def _rollouts(ecs: Ecs) -> Rollouts:
    session: Any = Session(ecs)
    return Rollouts(session, ecs.cluster)


def _deployed(ecs: Ecs) -> None:
    ecs.create(_definition(ecs, "example/server:1"), desiredCount=1, deploymentConfiguration=BREAKER)
    until(ecs.is_steady)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (
            "CannotPullContainerError",
            f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {BAD}: "
            f"{BAD}: not found",
        ),
        ("exit", "Essential container in task exited, container server ended with exit code 1"),
        ("unhealthy", "Task failed container health checks"),
    ],
)
def test_tells_a_rollback_with_its_reason(ecs: Ecs, marked: Any, fault: str, why: str) -> None:
    marked(fault)
    _deployed(ecs)
    followed = _rollouts(ecs)
    assert list(followed.failures()) == []
    ecs.client.update_service(cluster=ecs.cluster, service="web", taskDefinition=_definition(ecs))
    # As after Terraform's own wait, which ends when the previous version runs again.
    until(lambda: any("rolling back" in message for message in ecs.messages()))
    until(ecs.is_steady)
    with pytest.raises(Failed) as failed:
        followed.wait()
    assert str(failed.value) == (
        f"ECS rolled back the deployment of service web, whose tasks failed: {why}; correct that in the workspace file "
        "and deploy again."
    )
    # What was told once is not told of the next deployment.
    assert list(_rollouts(ecs).failures()) == []


def test_tells_a_first_deployment_that_was_given_up_each_time(ecs: Ecs, marked: Any) -> None:
    marked("exit")
    followed = _rollouts(ecs)
    ecs.create(_definition(ecs), desiredCount=1, deploymentConfiguration=BREAKER)
    with pytest.raises(Failed, match=r"^ECS gave up the deployment of service web, whose tasks failed: Essential"):
        followed.wait()
    (again,) = _rollouts(ecs).failures()
    assert again.startswith("ECS gave up the deployment of service web, whose tasks failed: Essential container")


def test_tells_of_tasks_that_end_again_and_again(ecs: Ecs, marked: Any) -> None:
    """ECS has completed the deployment, and would start them for ever."""
    ecs.create(_definition(ecs), desiredCount=1, deploymentConfiguration=BREAKER)
    until(ecs.is_steady)
    followed = _rollouts(ecs)
    followed.wait()
    marked("exit")
    ecs.client.stop_task(cluster=ecs.cluster, task=ecs.tasks()[0]["taskArn"])
    with pytest.raises(Failed, match=r"^ECS keeps restarting the tasks of service web, whose tasks failed: Essen"):
        followed.wait()
    # Those of earlier are not told of a deployment that is well.
    forget_faults(ecs.client.meta.endpoint_url, "ecs")
    until(ecs.is_steady)
    _rollouts(ecs).wait()


def test_waits_beyond_running_for_what_is_healthy(ecs: Ecs, marked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    marked("slow:1800")
    ecs.create(_definition(ecs), desiredCount=1, deploymentConfiguration=BREAKER, healthCheckGracePeriodSeconds=2700)
    until(lambda: ecs.service()["runningCount"] == 1)
    followed = _rollouts(ecs)
    assert list(followed.troubles()) == ["web IN_PROGRESS, 0 of 1 tasks healthy"]
    limits: list[float] = []
    whole = waiting.wait_for

    def wait_for(*words: Any, seconds: float, **more: Any) -> str:
        limits.append(seconds)
        return whole(*words, seconds=seconds, **more)

    monkeypatch.setattr(waiting, "wait_for", wait_for)
    followed.wait()
    assert [task["healthStatus"] for task in ecs.tasks()] == ["HEALTHY"]
    assert limits == [2700 + rollouts.EXTRA_SECONDS]


def test_says_while_it_waits_what_ecs_says(ecs: Ecs, marked: Any) -> None:
    marked("CannotPullContainerError")
    followed = _rollouts(ecs)
    ecs.create(_definition(ecs), desiredCount=1)  # without a circuit breaker it never ends
    until(lambda: any("unable to place" in message for message in ecs.messages()))
    (trouble,) = followed.troubles()
    assert trouble.startswith("web IN_PROGRESS, 0 of 1 tasks healthy (was unable to ")
    assert "CannotPullContainerError" in trouble


def test_a_workspace_without_services_is_well(ecs: Ecs) -> None:
    session: Any = Session(ecs)
    Rollouts(session, "not-there").wait()


class Tool:
    """Stands for the runner: what it was asked to run, and the exit code."""

    def __init__(self, code: int, act: Any) -> None:
        self._code, self._act = code, act

    def run(self, _argv: Any, *, folder: Path, to_stderr: bool) -> int:
        self._act()
        return self._code


@pytest.fixture
def follow(ecs: Ecs, marked: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Follows a tool that deploys the bad image, which ECS rolls back, and ends with an exit code."""
    marked("CannotPullContainerError")
    _deployed(ecs)
    monkeypatch.setattr(rollouts, "load", lambda _name: workspace())
    monkeypatch.setattr(scripts_aws, "session", lambda _workspace: Session(ecs))
    monkeypatch.setattr(names, "cluster", lambda _name: ecs.cluster)

    def deploy() -> None:
        ecs.client.update_service(cluster=ecs.cluster, service="web", taskDefinition=_definition(ecs))
        until(lambda: any("rolling back" in message for message in ecs.messages()) and ecs.is_steady())

    def run(code: int) -> None:
        tool: Any = Tool(code, deploy)
        rollouts.follow(tool, ["cdktf", "deploy"], workspace=None, folder=Path(), to_stderr=False)

    return run


SAID = "ECS rolled back the deployment of service web, whose tasks failed: CannotPullContainerError: "


def test_a_tool_that_took_a_rollback_for_success_is_not_believed(follow: Any) -> None:
    with pytest.raises(Failed) as failed:
        follow(0)
    assert str(failed.value).startswith(SAID)


def test_a_tool_that_failed_keeps_its_exit_code_and_gets_ecss_reason(
    follow: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        follow(7)
    assert left.value.code == 7
    assert SAID in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "concerns"),
    [
        ("cdktf deploy *", True),
        ("cdktf deploy --auto-approve network om*", True),
        ("cdktf apply", True),
        ("cdktf deploy network data", False),
        ("cdktf deploy --help", False),
        ("cdktf destroy *", False),
        ("cdktf", False),
        ("terraform -chdir=cdktf.out/stacks/omero apply -auto-approve", True),
        ("terraform apply -destroy", False),
        ("terraform plan", False),
    ],
)
def test_knows_what_deploys_services(words: str, concerns: bool) -> None:
    assert rollouts.concern(words.split()) is concerns


def test_a_tool_that_is_interrupted_ends_by_itself(tmp_path: Path) -> None:
    """Ctrl-C reaches the whole group of processes: Terraform then finishes, and has to be waited for."""
    script = "trap 'sleep 0.6; echo ended > done; exit 3' INT; kill -INT $PPID; kill -INT $$; sleep 5"
    tools = runner.Tools(env={"PATH": "/usr/bin:/bin"}, from_mirror=False)
    assert tools.run(["bash", "-c", script], folder=tmp_path, to_stderr=True) == 3
    assert (tmp_path / "done").exists()
