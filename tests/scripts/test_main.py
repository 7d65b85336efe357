"""`omero-aws`: one tree of commands, in one manner, that answers at once."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from scripts import console, main
from scripts.maintain import commands as documents
from scripts.maintain import evidence, formats
from settings.load import EXAMPLES, ROOT, available, folder_of
from tests.scripts.commands_help import DESTRUCTIVE, commands, leaves, options

# Commands that change nothing but what they are about to show, or the checkout, where git shows it.
TELLING = {
    "state status",
    "diff",
    "output",
    "arrivals status",
    "imports status",
    "imports show",
    "imports report",
    "imports users",
    "imports watch",
    "sftp status",
    "sftp user show",
    "sftp user list",
    "appstream status",
    "appstream user list",
    "dropbox status",
    "sign-in discover",
    "sign-in status",
    "images lock",
    "images list",
    "images check",
}
DEVELOPMENT = {path for path, entry in main.TREE.items() if entry.panel == main.DEVELOP}
NO_DRY_RUN = {
    "rehearse": "it changes nothing but an AWS of its own on this machine",
    "cdktf": "cdktf has options of its own",
    "terraform": "Terraform has options of its own",
    "exec": "what a command changes is the command's",
    "arrivals pause": "it is taken back by resume",
    "arrivals resume": "it is taken back by pause",
    "imports pause": "`resume` takes it back, and nothing is lost",
    "imports resume": "`pause` takes it back",
    "imports cancel": "what is left stays pending, and can be asked for again",
    "imports verify": "it notes in the ledger what OMERO says, and changes nothing in OMERO",
    "sftp test": "the file that it delivers is a test, and is removed again",
    "appstream url": "it makes an address that ends by itself",
}
NO_JSON = {
    "cdktf": "cdktf's own output",
    "terraform": "Terraform's own output",
    "exec": "the command's own output",
    "imports report": "--format json",
}
NO_WORKSPACE = {"images lock": "what it prints is written into a workspace, which may not be complete without it"}
EVERY = sorted(commands())
LEAVES = sorted(leaves())


def omero_aws(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run it as a person does, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "scripts.main", *words],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("path", EVERY)
def test_every_command_says_what_it_does_and_how_it_ends(path: str) -> None:
    command, ctx = commands()[path]
    text = command.get_help(ctx)
    assert command.help
    assert "Exit codes: 0 done; 1 tried and failed; 2 refused" in text
    assert "python -m" not in text
    assert "pipenv" not in text
    assert [each.name for each in command.params if not getattr(each, "help", None)] == []


@pytest.mark.parametrize("path", EVERY)
def test_what_a_list_of_commands_shows_is_not_cut_off(path: str) -> None:
    command, _ = commands()[path]
    if path:
        assert not command.get_short_help_str(60).endswith("...")


@pytest.mark.parametrize("path", sorted(set(LEAVES) - DEVELOPMENT))
def test_every_command_has_the_common_options(path: str) -> None:
    names = options(leaves()[path])
    assert ({"--workspace", "-w"} <= names) is (path not in NO_WORKSPACE)
    assert ("--json" in names) is (path not in NO_JSON)
    assert ("--dry-run" in names) is (path not in TELLING | set(NO_DRY_RUN))


def test_exceptions_are_commands() -> None:
    assert (TELLING | set(NO_DRY_RUN) | set(NO_JSON) | set(NO_WORKSPACE) | set(DESTRUCTIVE)) <= set(LEAVES)


def test_what_destroys_asks() -> None:
    """Each of these is also run without a terminal, by the tests of its own part."""
    asking = {path for path, command in leaves().items() if "--yes" in options(command)}
    assert asking - {"deploy"} == set(DESTRUCTIVE)
    for path in DESTRUCTIVE:
        assert "--dry-run" in options(leaves()[path]), path


def test_what_sounds_like_destruction_is_declared() -> None:
    words = {"teardown", "remove", "delete", "destroy", "stop", "disable", "reset", "purge"}
    assert {path for path in LEAVES if path.split()[-1] in words} <= set(DESTRUCTIVE)


def test_lists_what_the_commands_say_of_themselves() -> None:
    for name, entry in main.TREE.items():
        command, _ = commands()[name]
        assert command.get_short_help_str() == entry.help, name


def test_documents_are_current() -> None:
    documents.docs(check=True)


def test_an_old_document_is_found_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "ROOT", tmp_path)
    monkeypatch.setattr(documents, "FILE", tmp_path / "commands.md")
    monkeypatch.setattr(evidence, "DOCUMENT", tmp_path / "evidence.md")
    monkeypatch.setattr(formats, "DOCUMENT", tmp_path / "formats.md")
    with pytest.raises(console.Failed, match="run `make docs`"):
        documents.docs(check=True)
    documents.docs(check=False)
    documents.docs(check=True)


@pytest.mark.parametrize("words", [(), ("imports",), ("sftp", "user"), ("deploy",), ("cdktf",), ("exec",)])
def test_help_ends_well(words: tuple[str, ...]) -> None:
    done = omero_aws(*words, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {' '.join(('omero-aws', *words))} ")


@pytest.mark.parametrize("words", [(), ("imports",), ("state",), ("sftp", "user", "key")])
def test_a_group_without_a_command_shows_its_help_and_is_refused(words: tuple[str, ...]) -> None:
    done = omero_aws(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Usage: {' '.join(('omero-aws', *words))} ")


def test_suggests_what_may_have_been_meant() -> None:
    done = omero_aws("deplyo")
    assert done.returncode == 2
    assert done.stderr.endswith("Error: No such command 'deplyo'. Did you mean 'deploy'?\n")
    done = omero_aws("imports", "verfy")
    assert done.stderr.endswith("Error: No such command 'verfy'. Did you mean 'verify'?\n")


def test_the_version_is_the_one_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert omero_aws("--version").stdout == f"omero-aws {project['version']}\n"


def test_completes_commands_options_and_workspaces(tmp_path: Path) -> None:
    def completed(line: str, **environ: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        return omero_aws(_OMERO_AWS_COMPLETE="complete_bash", **words, **environ).stdout.split()

    assert completed("omero-aws de") == ["deploy", "destroy"]
    assert completed("omero-aws sftp user re") == ["remove"]
    assert "--dry-run" in completed("omero-aws deploy --d")
    (tmp_path / "prod.yaml").write_text("")
    (tmp_path / "dev.yaml").write_text("")
    assert completed("omero-aws imports status -w p", OMERO_WORKSPACES=str(tmp_path)) == ["prod"]
    assert completed("omero-aws deploy -w ", OMERO_WORKSPACES=str(tmp_path / "none")) == []
    examples = available(folder_of() / EXAMPLES)
    assert set(examples) <= set(completed("omero-aws cdktf -w ", OMERO_WORKSPACES=str(folder_of())))


def test_help_does_not_wait_for_what_it_does_not_need() -> None:
    """boto3, the settings and cdktf take most of the time that a command needs to begin."""
    program = "import sys, json; from scripts import main; json.dump(sorted(sys.modules), sys.stdout)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    loaded = set(json.loads(done.stdout))
    assert not {"boto3", "botocore", "pydantic", "cdktf", "moto", "settings", "yaml"} & loaded
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    omero_aws("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_pipenv_runs_the_same_commands() -> None:
    scripts: dict[str, Any] = tomllib.loads((ROOT / "Pipfile").read_text())["scripts"]
    assert scripts.pop("aws") == "python -m local_aws"
    assert scripts == {name: f"omero-aws {name}" for name in scripts}
    assert set(scripts) <= set(main.TREE)


def test_no_program_is_started_by_a_module_that_does_nothing_by_itself() -> None:
    """`python -m` of a module without a main part ends well, and has done nothing."""
    named = {entry.module for entry in main.TREE.values()}
    for folder in ("scripts", "tests", "local_aws"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not [name for name in named if f'"-m", "{name}"' in text], path
