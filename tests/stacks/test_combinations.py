"""Every combination of the sections that are traits: it loads, is synthesised, and Terraform finds it valid."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import main
from scripts.deploy import toolchain
from settings.topology import TOPOLOGIES, Traits
from tests.conftest import LEAST, Stacks, merged, of_type, workspace
from tests.settings.test_topology import SERVER, SHARE, TLS

SECTIONS: dict[str, dict[str, Any]] = {
    "tls": {"tls": TLS},
    "nlb": {"access": {"server": SERVER}},
    "read_only": {"omero": {"read_only": {}}},
    "share": {"share": SHARE},
}
COMBINATIONS = [traits for number in range(len(SECTIONS) + 1) for traits in itertools.combinations(SECTIONS, number)]


def changes(traits: tuple[str, ...]) -> dict[str, Any]:
    """What a workspace without a topology says to have these traits."""
    found: dict[str, Any] = {"topology": None}
    for trait in traits:
        found = merged(found, SECTIONS[trait])
    return found


def test_there_are_sixteen() -> None:
    assert len(COMBINATIONS) == len(set(COMBINATIONS)) == 16


@pytest.mark.parametrize("traits", COMBINATIONS, ids="+".join)
def test_the_sections_decide(traits: tuple[str, ...], synthesise: Callable[..., Stacks]) -> None:
    made = workspace(**changes(traits))
    assert made.traits == Traits(**dict.fromkeys(traits, True))
    assert made.omero.server.launch_type == ("EC2" if "share" in traits else "FARGATE")
    stacks = synthesise(**changes(traits))
    listeners = {listener["protocol"] for listener in of_type(stacks["frontend"], "aws_lb_listener").values()}
    assert listeners == {"HTTP", *(["HTTPS"] if "tls" in traits else []), *(["TCP"] if "nlb" in traits else [])}
    services = set(of_type(stacks["omero"], "aws_ecs_service"))
    assert services == {"server", "web", *(["read_only_1"] if "read_only" in traits else [])}
    server = of_type(stacks["omero"], "aws_ecs_task_definition")["server_task_definition"]
    assert [volume["name"] for volume in server["volume"]] == ["omero", *(["share"] if "share" in traits else [])]


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_name_and_its_sections_are_the_same_deployment(name: str, synthesise: Callable[..., Stacks]) -> None:
    row = TOPOLOGIES[name]
    traits = tuple(trait for trait in SECTIONS if getattr(row, trait))
    assert synthesise(**{**changes(traits), "topology": name}) == synthesise(**changes(traits))


@pytest.mark.nightly
def test_terraform_finds_all_of_them_valid(tmp_path: Path) -> None:
    """The stacks `frontend` and `omero`, each text once: the others do not differ."""
    environ = {**toolchain.environment(), "TF_WORKSPACE": LEAST["name"]}
    seen = set()
    for traits in COMBINATIONS:
        out = tmp_path / ("+".join(traits) or "none")
        main.build(workspace(**changes(traits)), outdir=str(out))
        for stack in ("frontend", "omero"):
            folder = out / "stacks" / stack
            text = (folder / "cdk.tf.json").read_text()
            if text in seen:
                continue
            seen.add(text)
            # The same provider for all: the first one's lock and plugins.
            first = tmp_path / "none" / "stacks" / stack
            if folder == first:
                init = ["terraform", "init", "-backend=false", "-input=false", "-no-color"]
                done = subprocess.run(init, cwd=folder, env=environ, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr
            else:
                for name in (".terraform", ".terraform.lock.hcl"):
                    (folder / name).symlink_to(first / name)
            validate = ["terraform", "validate", "-json"]
            done = subprocess.run(validate, cwd=folder, env=environ, capture_output=True, text=True, check=False)
            found = json.loads(done.stdout)
            assert found["valid"], (traits, stack, found["diagnostics"])
    assert len(seen) == 4 + len(COMBINATIONS)


def test_a_gateway_that_is_made_is_a_share_unless_the_topology_has_none() -> None:
    assert workspace(topology=None, file_gateway={}).traits == Traits(share=True)
    assert workspace(topology="rw-http", file_gateway={}).traits == TOPOLOGIES["rw-http"]
