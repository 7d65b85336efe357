"""A site's own properties in the real OMERO.web: as the workspace has them, through OMERO's own configuration."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modules.omero import variable
from modules.sign_in import APPENDED
from settings import load
from settings.properties import known
from tests.conftest import container
from tests.peers.conftest import Start
from tests.peers.web import TOOLS, Cache, Web

pytestmark = pytest.mark.peers
EXAMPLE = "site"
OMERO_PY = TOOLS.with_name("omero")
# What `omero` runs, apart from its refusal to be root.
OMERO = "import sys; from omero.cli import argv; sys.exit(argv(['omero', *sys.argv[1:]]))"


@pytest.fixture(scope="module")
def web(start: Start, cache: Cache) -> Iterator[Web]:
    running = start(EXAMPLE, cache=cache)
    yield running
    running.close()


@pytest.fixture(scope="module")
def configured(web: Web) -> dict[str, str]:
    """What OMERO keeps of its configuration."""
    kept = ET.parse(web.folder / "OMERO.web/etc/grid/config.xml")  # noqa: S314 - OMERO has just written it
    return {each.attrib["name"]: each.attrib["value"] for each in kept.iter("property")}


def test_each_property_arrives_as_it_was_meant(configured: dict[str, str]) -> None:
    wanted = load(EXAMPLE).omero.web_properties
    lists = {*wanted.appended, *APPENDED}
    assert len(wanted.values) > 10
    assert {name: configured.get(name) for name in wanted.values.keys() - lists} == {
        name: value for name, value in wanted.values.items() if name not in lists
    }


def test_what_is_appended_comes_after_what_was_there(configured: dict[str, str]) -> None:
    links = json.loads(configured["omero.web.ui.top_links"])
    assert [each[0] for each in links] == ["Data", "History", "Figure", "Help", "Help desk"]
    assert json.loads(configured["omero.web.apps"])[-1] == "containers.sign_in"


def test_the_apps_that_are_switched_on_answer_and_the_others_do_not(web: Web) -> None:
    assert web.ask("/figure/").status in (200, 302)
    assert web.ask("/iviewer/").status in (200, 302)
    assert web.ask("/parade/").status == 404


def test_an_app_that_does_not_load_ends_the_container_and_is_named(
    definition: Callable[[str], dict[str, Any]], start: Start, cache: Cache
) -> None:
    lines = next(each["value"] for each in definition(EXAMPLE)["environment"] if each["name"] == "APPENDED_PROPERTIES")
    entry = shlex.quote(json.dumps("lab_app_that_is_not_there"))
    with pytest.raises(AssertionError, match="lab_app_that_is_not_there"):
        start(EXAMPLE, cache=cache, APPENDED_PROPERTIES=f"{lines}\nconfig append -- omero.web.apps {entry}")


@pytest.mark.parametrize("package", ["omeroweb", "omero_iviewer", "omero_mapr", "omero_parade"])
def test_names_are_those_that_omero_web_and_its_apps_know(package: str) -> None:
    """`settings/omero_names.txt` says what it was made from; here it is asked."""
    (folder,) = TOOLS.glob(f"lib/python3.*/site-packages/{package}")
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*settings.py")]
    # A mapping of each property to its setting, default, converter and description.
    theirs = {name for text in texts for name in re.findall(r"""["'](omero\.web\.[a-z_.]+)["']:\s*\[""", text)}
    part = package.removeprefix("omero_")
    apps = ("iviewer", "mapr", "parade")
    ours = {name for name in known("web") if (name.split(".")[2] if name.split(".")[2] in apps else "omeroweb") == part}
    assert theirs == ours


def test_servers_properties_go_through_omeros_own_command(tmp_path: Path, synthesised: Callable[[str], Any]) -> None:
    """As 50-config.py hands them to it, of the read-write server."""
    (tmp_path / "etc/grid").mkdir(parents=True)
    environ = {"PATH": os.environ["PATH"], "OMERODIR": str(tmp_path), "HOME": str(tmp_path)}

    def omero(*words: str) -> str:
        command = [str(OMERO_PY / "bin/python"), "-c", OMERO, "config", *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout

    wanted = load(EXAMPLE).omero.server_properties.values
    given = {each["name"]: each["value"] for each in container(synthesised(EXAMPLE)["omero"], "server")["environment"]}
    for name in wanted:
        omero("set", "--", name, given[variable(name)])
    assert {name: omero("get", name).rstrip("\n") for name in wanted} == dict(wanted)
