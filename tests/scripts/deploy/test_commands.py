"""deploy, diff, output and destroy: what they hand to cdktf, and what they refuse. Nothing is run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from scripts import confirming
from scripts.deploy import backend, commands, order, preflight, rollouts, runner
from scripts.errors import Failed, Refused
from scripts.main import app
from tests.conftest import workspace

MANIFEST = {
    "omero": {"dependencies": ["network", "data"]},
    "data": {"dependencies": ["network"]},
    "network": {"dependencies": []},
}
PLAN = {
    "resource_changes": [
        {"address": "a.new", "change": {"actions": ["create"]}},
        {"address": "a.same", "change": {"actions": ["no-op"]}},
        {"address": "a.other", "change": {"actions": ["delete", "create"]}},
        {"address": "a.read", "change": {"actions": ["read"]}},
    ]
}
Run = Callable[..., Any]


class Recording:
    """Stands for the tools: notes what would be run. `codes` are the exit codes of subcommands that fail."""

    def __init__(self) -> None:
        self.checked: list[str | None] = []
        self.became: list[list[str]] = []
        self.followed: list[list[str]] = []
        self.ran: list[list[str]] = []
        self.codes: dict[str, int] = {}
        self.deployed = frozenset({"network", "data"})
        self.states: dict[str, Any] = {}
        self.configurations: list[Any] = []

    def ready(self, _argv: Sequence[str], *, workspace: str | None = None) -> Recording:
        self.checked.append(workspace)
        return self

    def follow(self, _tools: Any, argv: Sequence[str], **_more: Any) -> None:
        self.followed.append(list(argv))
        if "--outputs-file" in argv:
            self.run(argv, folder=Path(), to_stderr=True)

    def become(self, argv: Sequence[str]) -> None:
        self.became.append(list(argv))

    def run(self, argv: Sequence[str], *, folder: Path, to_stderr: bool) -> int:
        self.ran.append(list(argv))
        self.configurations += [json.loads(file.read_text()) for file in folder.glob("main.tf.json")]
        if "--outputs-file" in argv:
            Path(argv[-1]).write_text(json.dumps({"omero": {"web_url": "http://omero"}}))
        return self.codes.get(argv[1], 0)

    def read(self, _argv: Sequence[str], *, folder: Path) -> str:
        return json.dumps(PLAN)


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recording:
    made = Recording()
    monkeypatch.setattr(runner, "ready", made.ready)
    monkeypatch.setattr(rollouts, "follow", made.follow)
    monkeypatch.setattr(preflight, "check", lambda _name, *, changes: workspace())
    monkeypatch.setattr(preflight, "check_destroy", lambda _settings, _stacks: None)
    monkeypatch.setattr(commands, "load", lambda name: workspace(name=name or "lab"))
    monkeypatch.setattr(backend, "state_backend", lambda settings: SimpleNamespace(workspace=settings))
    monkeypatch.setattr(backend, "deployed_stacks", lambda _state: made.deployed)
    monkeypatch.setattr(backend, "states", lambda _state: made.states)
    monkeypatch.setattr(commands, "_deployed_outputs", lambda _name: {})
    monkeypatch.setattr(commands, "OUT", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"stacks": MANIFEST}))
    return made


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def refused(*words: str) -> str:
    done = run(*words)
    assert isinstance(done.exception, Refused), done.output
    assert done.stdout == ""
    return str(done.exception)


@pytest.mark.parametrize(
    ("words", "handed"),
    [
        ("deploy --yes", "deploy * --auto-approve"),
        ("deploy omero --yes -w prod", "deploy omero --ignore-missing-stack-dependencies --auto-approve"),
        ("deploy omero* data --yes", "deploy omero* data --ignore-missing-stack-dependencies --auto-approve"),
        ("deploy * --yes", "deploy * --auto-approve"),
        (
            "deploy omero --yes -- --ignore-missing-stack-dependencies --parallelism 1",
            "deploy omero --auto-approve --ignore-missing-stack-dependencies --parallelism 1",
        ),
        ("cdktf deploy *", "deploy *"),
    ],
)
def test_follows_what_deploys_services(tools: Recording, words: str, handed: str) -> None:
    done = run(*words.split())
    assert done.exit_code == 0, done.output
    assert (tools.followed, tools.became) == ([["cdktf", *handed.split()]], [])
    assert tools.checked == ["prod" if "-w prod" in words else None]


@pytest.mark.parametrize(
    ("words", "handed"),
    [
        ("deploy network --yes", "deploy network --ignore-missing-stack-dependencies --auto-approve"),
        ("diff network", "diff network"),
        ("diff network -- --refresh-only", "diff network --refresh-only"),
        ("deploy network --dry-run", "diff network"),
        ("output", "output *"),
        ("output omero -- --skip-synth", "output omero --skip-synth"),
        ("destroy --yes", "destroy * --auto-approve"),
        ("destroy sftp --yes -- --no-color", "destroy sftp --auto-approve --no-color"),
        ("cdktf -w prod list", "list"),
        ("cdktf deploy -w prod --help", "deploy -w prod --help"),
    ],
)
def test_hands_to_cdktf(tools: Recording, words: str, handed: str) -> None:
    done = run(*words.split())
    assert done.exit_code == 0, done.output
    assert tools.became == [["cdktf", *handed.split()]]
    assert tools.checked == ["prod" if "-w prod" in words and "deploy -w" not in words else None]


def test_deploys_first_what_has_to_let_go(tools: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_deployed_outputs", lambda _name: {"omero": frozenset()})
    monkeypatch.setattr(order, "users_first", lambda _out, _deployed: ["omero"])
    assert run("deploy", "--yes", "--", "--parallelism", "1").exit_code == 0
    first = "deploy omero --skip-synth --ignore-missing-stack-dependencies --auto-approve --parallelism 1"
    assert [words[1] for words in tools.ran] == ["synth", "deploy"]
    assert tools.ran[1] == ["cdktf", *first.split()]
    assert tools.followed == [["cdktf", "deploy", "*", "--auto-approve", "--parallelism", "1"]]
    assert run("deploy", "network", "--yes").exit_code == 0
    assert len(tools.ran) == 2, "a stack that is named alone comes alone"


@pytest.mark.parametrize("words", ["-chdir=x/ww plan -out w", "fmt -- x", "-version", "state list --help"])
def test_hands_to_terraform_as_it_is(tools: Recording, words: str) -> None:
    assert run("terraform", *words.split()).exit_code == 0
    assert tools.became == [["terraform", *words.split()]]


def test_deploys_and_destroys_nothing_unasked(tools: Recording) -> None:
    assert "there is no terminal to answer on; give --yes" in refused("deploy")
    assert "This destroys all stacks of workspace lab" in refused("destroy")
    assert "This destroys the stacks data, omero of workspace prod" in refused("destroy", "data", "omero", "-w", "prod")
    assert (tools.checked, tools.became, tools.ran) == ([], [], [])


def test_on_a_terminal_cdktf_asks_for_deploy_and_we_for_destroy(
    tools: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirming, "on_terminal", lambda: True)
    monkeypatch.setattr(commands, "on_terminal", lambda: True)
    assert run("deploy").exit_code == 0
    wrong = CliRunner().invoke(app, ["destroy"], input="demo\n")
    assert isinstance(wrong.exception, Refused)
    assert CliRunner().invoke(app, ["destroy"], input="lab\n").exit_code == 0
    assert tools.followed == [["cdktf", "deploy", "*"]]
    assert tools.became == [["cdktf", "destroy", "*", "--auto-approve"]]


def test_plans_every_stack_that_can_be_planned(tools: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_deployed", lambda _name: frozenset({"network"}))
    done = run("diff")
    assert done.exit_code == 0
    assert [words[1:3] for words in tools.ran] == [["synth", "--output"], ["diff", "network"], ["diff", "data"]]
    assert "stack omero: cannot be planned before data\n" in done.stderr
    done = run("deploy", "--dry-run", "--json")
    told = json.loads(done.stdout)
    changes = {"create": ["a.new"], "update": [], "replace": ["a.other"], "delete": []}
    assert told == {"workspace": "lab", "stacks": {"network": changes, "data": changes, "omero": None}}
    assert tools.became == []


@pytest.mark.parametrize("option", [["-o", "elsewhere"], ["--output=elsewhere"]])
def test_plans_where_cdktf_is_told_to_synthesise(
    tools: Recording, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: list[str]
) -> None:
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "manifest.json").write_text(json.dumps({"stacks": {"data": {"dependencies": []}}}))
    assert run("diff", "da*", "--", *option).exit_code == 0
    assert [words[1:3] for words in tools.ran] == [["synth", "--output"], ["diff", "data"]]
    assert tools.ran[0][3] == str(tmp_path / "elsewhere")
    assert tools.ran[1][-len(option) :] == option


def test_refuses_a_stack_that_is_none(tools: Recording) -> None:
    said = refused("diff", "network", "nowhere")
    assert said == "the workspace has no stack nowhere; give one of omero, data, network."


def test_destroys_a_stack_that_the_settings_no_longer_have(tools: Recording) -> None:
    tools.deployed, tools.states = frozenset({"network", "datasync"}), {"datasync": {"resources": []}}
    assert run("destroy", "datasync", "--yes").exit_code == 0
    assert tools.ran == [["terraform", "init", "-input=false"], ["terraform", "destroy", "-auto-approve"]]
    assert tools.became == []
    assert all(each["terraform"]["backend"]["s3"]["key"] == "datasync.tfstate" for each in tools.configurations)
    assert all(each.keys() == {"terraform", "provider"} for each in tools.configurations)
    assert run("destroy", "--yes").exit_code == 0
    assert [words[1] for words in tools.ran[2:]] == ["init", "destroy"]
    assert tools.became == [["cdktf", "destroy", "*", "--auto-approve"]]
    tools.codes["destroy"] = 1
    assert str(run("destroy", "datasync", "--yes").exception) == (
        "terraform destroy of the stack datasync ended with exit code 1; the reason is above."
    )


@pytest.mark.parametrize("more", [["--yes"], ["--dry-run"]])
def test_refuses_to_destroy_kept_data_of_a_section_that_is_gone(tools: Recording, more: list[str]) -> None:
    bucket = {"bucket": "omero-lab-datasync", "force_destroy": False}
    row = {"mode": "managed", "type": "aws_s3_bucket", "name": "bucket", "instances": [{"attributes": bucket}]}
    tools.deployed, tools.states = frozenset({"datasync_buckets"}), {"datasync_buckets": {"resources": [row]}}
    said = refused("destroy", "datasync_buckets", *more)
    assert "the stack datasync_buckets has omero-lab-datasync, which holds data that retain: true keeps" in said
    assert tools.ran == tools.became == []


def test_says_what_destroy_would_take(tools: Recording) -> None:
    done = run("destroy", "d*", "--dry-run", "--json")
    assert json.loads(done.stdout) == {"workspace": "lab", "dry_run": True, "destroyed": ["data"]}
    assert "would be done: stack data destroyed" in done.stderr
    assert tools.ran == tools.became == []


def test_outputs_are_data(tools: Recording) -> None:
    for words in (["output", "omero"], ["deploy", "--yes"]):
        assert json.loads(run(*words, "--json").stdout) == {"omero": {"web_url": "http://omero"}}
    tools.codes["output"] = 1
    done = run("output", "--json")
    assert isinstance(done.exception, Failed)
    assert "cdktf output ended with exit code 1" in str(done.exception)


def test_a_tool_that_runs_leaves_stdout_for_data(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tools = runner.Tools(env={}, from_mirror=False)
    words = [sys.executable, "-c", "print('said'); raise SystemExit(3)"]
    assert tools.run(words, folder=tmp_path, to_stderr=True) == 3
    assert capfd.readouterr() == ("", "said\n")
    with pytest.raises(Failed, match="exit code 3"):
        tools.read(words, folder=tmp_path)
