"""What `omero-aws cdktf` and `omero-aws terraform` hand over. Nothing is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import console
from scripts.deploy import preflight, runner, toolchain
from scripts.deploy.toolchain import Provider
from scripts.errors import Refused
from settings import Workspace
from tests.conftest import workspace

MIRROR = Provider(source="mirror", path=Path("/mirror"))


class Handed(Exception):
    """Stands for the tool that has taken over."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was called, in order; the provider comes from a mirror."""
    seen: list[object] = []

    def execvpe(file: str, argv: list[str], env: dict[str, str]) -> None:
        seen.append((file, argv, env))
        raise Handed

    def check(_name: str | None, *, changes: bool) -> Workspace:
        seen.append("surroundings" if changes else "account and state")
        return workspace()

    monkeypatch.delenv("TF_INPUT", raising=False)
    monkeypatch.setattr(toolchain, "require", lambda: None)
    monkeypatch.setattr(toolchain, "environment", lambda base: {"PATH": "/tools", "TF_INPUT": "0"})
    monkeypatch.setattr(toolchain, "provider", lambda env: MIRROR)
    monkeypatch.setattr(preflight, "check", check)
    monkeypatch.setattr(preflight, "check_destroy", lambda _settings, stacks: seen.append(("destroy", stacks)))
    monkeypatch.setattr(
        preflight, "check_kept", lambda _settings, stacks, _patterns: seen.append(("kept", stacks.exists()))
    )
    monkeypatch.setattr(preflight, "is_deployed", lambda _settings: False)
    monkeypatch.setattr(console, "say", seen.append)
    monkeypatch.setattr("os.execvpe", execvpe)
    return seen


def hand_over(*argv: str) -> None:
    with pytest.raises(Handed):
        runner.ready(argv).become(argv)


KEPT = ("kept", False)


@pytest.mark.parametrize(
    ("subcommand", "checked"),
    [
        ("deploy", ["surroundings", KEPT]),
        ("apply", ["surroundings", KEPT]),
        ("diff", ["surroundings", KEPT]),
        ("plan", ["surroundings", KEPT]),
        ("destroy", ["account and state", ("destroy", ("*",)), KEPT]),
        ("output", ["account and state"]),
    ],
)
def test_cdktf_that_reaches_aws(calls: list[object], subcommand: str, checked: list[object]) -> None:
    hand_over("cdktf", subcommand, "*", "--auto-approve")
    assert calls == [
        *checked,
        "AWS provider 5.100.0: from the mirror /mirror",
        (
            "cdktf",
            ["cdktf", subcommand, "--skip-provider-lock", "*", "--auto-approve"],
            {"PATH": "/tools", "TF_INPUT": "0"},
        ),
    ]


@pytest.mark.parametrize(
    "argv",
    [
        ["cdktf"],
        ["cdktf", "--help"],
        ["cdktf", "deploy", "--help"],
        ["cdktf", "synth"],
        ["cdktf", "list"],
        ["cdktf", "--version"],
        ["terraform", "-version"],
        ["terraform", "fmt", "--", "x"],
        ["terraform", "-chdir=cdktf.out/stacks/omero", "validate"],
        ["terraform", "plan", "-help"],
    ],
)
def test_passes_on_what_stays_on_this_machine(calls: list[object], argv: list[str]) -> None:
    hand_over(*argv)
    assert calls == [(argv[0], argv, {"PATH": "/tools", "TF_INPUT": "0"})]


@pytest.mark.parametrize(
    ("argv", "reaches", "installs"),
    [
        (["terraform", "plan"], True, True),
        (["terraform", "-chdir=x", "state", "list"], True, False),
        (["terraform", "init"], True, True),
        (["terraform", "init", "-backend=false"], False, True),
        (["terraform", "validate"], False, False),
        (["cdktf", "watch"], True, True),
        (["cdktf", "init"], False, False),
    ],
)
def test_knows_what_reaches_aws(argv: list[str], reaches: bool, installs: bool) -> None:
    assert runner.needs_aws(argv) is reaches
    assert runner.installs_provider(argv) is installs


def test_adds_the_option_only_where_it_is_taken() -> None:
    assert runner.command(["cdktf", "diff", "x"], from_mirror=False) == ["cdktf", "diff", "x"]
    assert runner.command(["cdktf", "watch"], from_mirror=True) == ["cdktf", "watch"]
    assert runner.command(["terraform", "plan"], from_mirror=True) == ["terraform", "plan"]
    given = ["cdktf", "diff", "--skip-provider-lock"]
    assert runner.command(given, from_mirror=True) == given


@pytest.mark.parametrize(
    "argv",
    [["cdktf", "deploy", "--migrate-state"], ["terraform", "init", "-migrate-state"]],
    ids=["cdktf", "terraform"],
)
def test_lets_terraform_ask_about_a_migration(calls: list[object], argv: list[str]) -> None:
    hand_over(*argv)
    handed = calls[-1]
    assert isinstance(handed, tuple)
    assert "TF_INPUT" not in handed[2]


def test_an_unfit_workspace_stops_it(calls: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_workspace: str | None, *, changes: bool) -> None:
        raise Refused("no state bucket.")

    monkeypatch.setattr(preflight, "check", refuse)
    with pytest.raises(Refused, match="no state bucket"):
        runner.ready(["cdktf", "deploy"])
    assert calls == []


@pytest.mark.parametrize(
    "argv",
    [
        ["cdktf", "output", "*"],
        ["cdktf", "destroy", "*"],
        ["terraform", "-chdir=x", "force-unlock", "17"],
        ["terraform", "-chdir=x", "state", "list"],
        ["terraform", "-chdir=x", "output"],
        ["terraform", "-chdir=x", "destroy"],
        ["terraform", "-chdir=x", "plan", "-destroy"],
    ],
)
def test_a_rescue_does_not_ask_about_its_surroundings(calls: list[object], argv: list[str]) -> None:
    hand_over(*argv)
    assert "account and state" in calls
    assert "surroundings" not in calls


@pytest.mark.parametrize(
    ("argv", "stacks"),
    [
        (["cdktf", "destroy", "network", "da*", "--auto-approve"], ("network", "da*")),
        (["cdktf", "destroy", "--auto-approve"], ("*",)),
        (["cdktf", "deploy", "*"], ()),
        (["terraform", "plan"], ()),
    ],
)
def test_knows_what_is_destroyed(argv: list[str], stacks: tuple[str, ...]) -> None:
    assert runner.destroys(argv) == stacks


def test_knows_the_stack_that_terraform_destroys(calls: list[object], tmp_path: Path) -> None:
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "cdk.tf.json").write_text("{}")
    hand_over("terraform", f"-chdir={tmp_path / 'network'}", "destroy")
    assert calls[:3] == ["account and state", ("destroy", ("network",)), ("kept", True)]
