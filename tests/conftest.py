"""What the tests share: workspaces, and their stacks synthesised once a session."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import main
from settings import Workspace, available, load
from settings.load import EXAMPLES, FOLDER

Stacks = dict[str, dict[str, Any]]

# Whoever runs tests in the background (`nohup`, `&`) has them ignore these signals, and all that they start; in a
# container they are not ignored.
for _signal, _default in (
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(_signal) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(_signal, _default)


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` put over it, section by section."""
    result = dict(base)
    for key, value in changes.items():
        inner = base.get(key)
        result[key] = merged(inner, value) if isinstance(value, dict) and isinstance(inner, dict) else value
    return result


# Seconds that the tests of each part took. Workers run side by side, so they add up to more than have passed.
_SECONDS: dict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what set-up, call and teardown took, by the part of the house that is tested."""
    folders = report.nodeid.partition("::")[0].split("/")[:-1]
    _SECONDS["/".join(folders[:4]) or "tests"] += report.duration


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what each part took, the longest first."""
    terminalreporter.section("seconds by part")
    for part, seconds in sorted(_SECONDS.items(), key=lambda each: -each[1]):
        terminalreporter.write_line(f"{seconds:8.1f}  {part}")
    terminalreporter.write_line(f"{sum(_SECONDS.values()):8.1f}  all, on all workers together")


LEAST: dict[str, Any] = {
    "name": "lab",
    "account_id": "111122223333",
    "region": "eu-central-1",
    "topology": "rw-http",
    "access": {"cidrs": ["192.0.2.0/24", "198.51.100.0/24"]},
}


def workspace(**changes: Any) -> Workspace:
    """A workspace that says no more than it has to, with `changes`."""
    return Workspace.model_validate(merged(LEAST, changes))


@pytest.fixture(scope="session")
def of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all workers of a run, so that none does again what another has done. Whoever is there first with a
    file or folder has made it: write beside it, and rename."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def _built(found: Workspace, at: Path) -> Path:
    """The folder of a workspace's synthesised stacks."""
    if not at.exists():
        made = Path(tempfile.mkdtemp(dir=at.parent, prefix=f"{at.name}."))
        main.build(found, outdir=str(made))
        with suppress(OSError):  # another worker was first
            made.rename(at)
    return at


@pytest.fixture(scope="session")
def synthesise(of_this_run: Path) -> Callable[..., Stacks]:
    """`synthesise(**changes)` gives each stack's JSON by name; the same changes are synthesised once."""
    done: dict[str, Stacks] = {}

    def synthesised(**changes: Any) -> Stacks:
        key = json.dumps(changes, sort_keys=True)
        if key not in done:
            digest = hashlib.sha256(key.encode()).hexdigest()[:20]
            done[key] = read_stacks(_built(workspace(**changes), of_this_run / f"stacks-{digest}"))
        return done[key]

    return synthesised


@pytest.fixture(scope="session")
def examples(of_this_run: Path) -> dict[str, Path]:
    """The folder of synthesised stacks of the demo and of each example, by name."""
    names = (*available(FOLDER), *available(FOLDER / EXAMPLES))
    return {name: _built(load(name), of_this_run / f"example-{name}") for name in names}


def read_stacks(out: Path) -> Stacks:
    """The JSON of every stack below a `cdktf.out` folder, by name."""
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(out.glob("stacks/*/cdk.tf.json"))}


def of_type(stack: dict[str, Any], type_: str) -> dict[str, dict[str, Any]]:
    """A stack's resources of a type, by name."""
    found: dict[str, dict[str, Any]] = stack["resource"].get(type_, {})
    return found


def only(stack: dict[str, Any], type_: str) -> dict[str, Any]:
    """A stack's single resource of a type."""
    (resource,) = of_type(stack, type_).values()
    return resource


def containers(stack: dict[str, Any], role: str) -> dict[str, dict[str, Any]]:
    """The containers of a task definition, by name."""
    definition = of_type(stack, "aws_ecs_task_definition")[f"{role}_task_definition"]
    return {container["name"]: container for container in json.loads(definition["container_definitions"])}


def container(stack: dict[str, Any], role: str) -> dict[str, Any]:
    """The single container of a task definition that runs as long as the task."""
    (found,) = [container for container in containers(stack, role).values() if container["essential"]]
    return found


def variables(stack: dict[str, Any], role: str) -> dict[str, str]:
    """The environment of that container."""
    return {variable["name"]: variable["value"] for variable in container(stack, role)["environment"]}


def ways_to(stack: dict[str, Any], target: str) -> set[tuple[str, int]]:
    """Who may reach the members of a security group (a CIDR, or the other group's name), and on which port."""
    rules = of_type(stack, "aws_vpc_security_group_ingress_rule").values()
    return {
        (rule.get("cidr_ipv4") or rule["referenced_security_group_id"].split(".")[1], rule["from_port"])
        for rule in rules
        if f"{target}_security_group" in rule["security_group_id"]
    }
