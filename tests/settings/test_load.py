"""A workspace file is read whole or refused with a sentence for each fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from settings import SettingsError, available, load, selected
from settings.load import DEFAULT, FOLDER, parse
from settings.topology import TOPOLOGIES

GOOD = {
    "account_id": '"123456789012"',
    "region": "eu-west-1",
    "topology": "rw-http",
    "access": "{cidrs: [192.0.2.0/24]}",
}


def yaml(**changes: str | None) -> str:
    """The least YAML of a workspace, with keys changed, added, or (None) left out."""
    return "".join(f"{key}: {value}\n" for key, value in (GOOD | changes).items() if value is not None)


def faults(text: str) -> tuple[str, ...]:
    """The sentences about `text`."""
    with pytest.raises(SettingsError) as caught:
        parse(text, "demo", "demo.yaml")
    return caught.value.faults


def fault(text: str) -> str:
    """The one sentence about `text`."""
    (sentence,) = faults(text)
    return sentence


def test_reads_the_least() -> None:
    workspace = parse(yaml(), "demo", "demo.yaml")
    assert (workspace.name, workspace.account_id, workspace.region) == ("demo", "123456789012", "eu-west-1")
    assert workspace.access.cidrs == ("192.0.2.0/24",)


def test_says_every_fault_at_once() -> None:
    text = yaml(
        account_id="1",
        region="Ireland",
        acces="{}",
        access=None,
        network="{cidr: 10.0.0.1/16}",
        omero="{web: {count: 0}, server: {image: omero}}",
    )
    said = faults(text)
    keys = ["account_id", "region", "access", "acces", "network.cidr", "omero.web.count", "omero.server.image"]
    assert sorted(sentence.split()[1].rstrip(":") for sentence in said) == sorted(keys)
    assert all(sentence.startswith("demo.yaml: ") and sentence.endswith(".") for sentence in said)
    assert all("\n" not in sentence for sentence in said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (yaml(account_id="12345678901"), "account_id: YAML reads this as the number 12345678901; put it in quotes"),
        (yaml(account_id='"12345"'), "account_id: 12345 is not an AWS account id; give 12 digits"),
        (yaml(region="eu-west"), "region: eu-west is not an AWS region that this program knows; did you mean eu-west-"),
        (yaml(topology="rw"), "topology: rw is not a topology; allowed: rw-http"),
        (yaml(acces="1"), "acces is an unknown key (did you mean access?); allowed: account_id, "),
        (yaml(zebra="1"), "zebra is an unknown key; allowed: account_id, "),
        (yaml(state="{regoin: x}"), "state.regoin is an unknown key (did you mean region?); allowed: bucket, table or"),
        (yaml(data="{backup: {retention: 3}}"), "data.backup.retention is an unknown key (did you mean retention_days"),
        (yaml(state="{bucket: 3}"), "state.bucket: 3 is not allowed; give text (a number or a date in quotes)"),
        (yaml(network="null"), "network: null is not allowed; give keys and values under it, or remove it"),
        (yaml(access="{cidrs: []}"), "access.cidrs: [] is not allowed; give a list of 1 or more entries"),
        (
            yaml(network="{private_subnets: [10.192.1.0/24]}"),
            "private_subnets: ['10.192.1.0/24'] is not allowed; give a list of 2",
        ),
        (yaml(retain="perhaps"), "retain: 'perhaps' is not allowed; give true or false"),
        (yaml(tags="{Workspace: x}"), "tags.Workspace: the tag Workspace is set by this program as Workspace"),
        (yaml(data="{backup: {schedule: daily}}"), "data.backup.schedule: daily is not an AWS cron expression"),
        (yaml(data="{database: {storage_gib: 200, max_storage_gib: 200}}"), "give 220 or more"),
        (yaml(name="prod"), "name is not a setting"),
    ],
)
def test_refuses_bad_value(text: str, said: str) -> None:
    assert said in fault(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "demo.yaml, line 1, column 5: not valid YAML"),
        ("a: 1\n b: 2", "line 2, column 3: not valid YAML"),
        ("region: a\nregion: b", "line 2, column 1: not valid YAML: the key region is given twice"),
        ("tags: {a: b, a: c}", "line 1, column 14: not valid YAML: the key a is given twice"),
        ("tags: {1: b}", "the key 1 is not text"),
        ("a: !!python/object x", "could not determine a constructor"),
        ("a: 2026-13-01", "demo.yaml: not valid YAML: month must be in 1..12"),
        ("a: \x00", "demo.yaml: not valid YAML"),
        ("a: " + 3000 * "[", "demo.yaml: not valid YAML"),
        ("", "is empty; give at least account_id, region and access"),
        ("- a", "is empty"),
    ],
)
def test_refuses_malformed_yaml(text: str, said: str) -> None:
    assert said in fault(text)


def test_loads_by_name(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(yaml())
    assert load("lab", tmp_path).name == "lab"


def test_refuses_an_unknown_workspace(tmp_path: Path) -> None:
    for name in ("lab", "demo"):
        (tmp_path / f"{name}.yaml").write_text(yaml())
    with pytest.raises(
        SettingsError, match=r"workspace prod is unknown: .*prod.yaml does not exist \(known: demo, lab\)"
    ):
        load("prod", tmp_path)


@pytest.mark.parametrize("name", ["", "P", "a", "Prod", "a_b", "1a", "ab-", "../demo", "default", "a" * 17])
def test_refuses_a_workspace_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"the workspace name .* is not allowed; give 2 to 16"):
        load(name, tmp_path)


def test_refuses_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_bytes(b"region: \xff")
    with pytest.raises(SettingsError, match=r"lab.yaml cannot be read as UTF-8 text"):
        load("lab", tmp_path)


def test_the_variable_selects() -> None:
    assert selected({"TF_WORKSPACE": "lab"}) == "lab"
    assert selected({"TF_WORKSPACE": ""}) == selected({}) == DEFAULT


def test_available_are_the_files_of_the_folder(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "schema.json"):
        (tmp_path / name).touch()
    assert available(tmp_path) == ("a", "b")


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_workspace_of_the_project_loads(path: Path) -> None:
    assert load(path.stem, path.parent).name == path.stem


def test_examples_are_known_by_name(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    text = (FOLDER / "demo.yaml").read_text()
    (tmp_path / "examples" / "lab.yaml").write_text(text)
    assert load("lab", tmp_path).name == "lab"
    (tmp_path / "lab.yaml").write_text(text.replace("eu-west-1", "eu-west-2"))
    assert load("lab", tmp_path).region == "eu-west-2", "a workspace of one's own comes first"


def test_workspaces_may_live_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text((FOLDER / "demo.yaml").read_text())
    monkeypatch.setenv("OMERO_WORKSPACES", str(tmp_path))
    assert load("mine").name == "mine"
    with pytest.raises(SettingsError, match=r"known: mine"):
        load("demo")


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_each_topology_has_an_example_that_keeps_the_data(name: str) -> None:
    example = load(name, FOLDER)
    assert example.topology == name
    assert example.retain is True
