"""What the product sets of OMERO's properties, a workspace cannot set by name as well: one of them would be lost."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import containers
from containers.dropbox_settings import PROPERTIES as OF_DROPBOX
from modules.sign_in import APPENDED
from settings import Workspace
from settings.faults import faults
from settings.load import EXAMPLES, FOLDER
from settings.properties import known
from tests.conftest import Stacks, container
from tests.interception import Authority
from tests.settings.test_properties import by_the_images_rule

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine-a1B2c3"
SIDES = {"server": ("server", "read_only_1"), "web": ("web",)}
STARTS = {"server": ("server.sh", "read_only_server.sh", "server_run.sh"), "web": ("web.sh",)}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A workspace with each section that sets properties."""
    read: dict[str, Any] = yaml.safe_load((FOLDER / EXAMPLES / "site.yaml").read_text(encoding="utf-8"))
    authority = Authority(tmp_path_factory.mktemp("authority"), "Hospital Root").pem().decode()
    read["omero"]["ldap"] |= {"ca_certificate": authority, "ignore_case": True}
    read["omero"]["login"] |= {"text": "Ask the help desk.", "logo": "/static/logo.png"}
    return {"name": "lab", **read}


def of_containers(stack: dict[str, Any], side: str) -> set[str]:
    """By their variables."""
    definitions = [container(stack, role) for role in SIDES[side]]
    names = {each["name"] for part in definitions for key in ("environment", "secrets") for each in part[key]}
    return {by_the_images_rule(name) for name in names if name.startswith("CONFIG_")}


def of_starts(side: str) -> set[str]:
    """By the commands of their start."""
    texts = [Path(containers.__file__).with_name(name).read_text(encoding="utf-8") for name in STARTS[side]]
    found = {name for text in texts for name in re.findall(r"config (?:set|append) -- (omero\.[\w.]+)", text)}
    return found | (set(OF_DROPBOX) if side == "server" else APPENDED.keys())


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("key", ["properties", "secret_properties"])
def test_refuses_by_name_what_is_set_already(
    synthesise: Callable[..., Stacks], everything: dict[str, Any], side: str, key: str
) -> None:
    assert not faults(Workspace, everything)
    given = everything["omero"][side]["properties"]
    owned = (of_containers(synthesise(**everything)["omero"], side) | of_starts(side)) - given.keys()
    assert len(owned) > 25
    values = {"list": ["x"], "object": {"x": 1}, "boolean": True, "integer": 1, "number": 1}
    taken = set()
    for name in owned:
        changed = copy.deepcopy(everything)
        value = ARN if key == "secret_properties" else values.get(known(side).get(name, "text"), "x")
        changed["omero"][side].setdefault(key, {})[name] = value
        if not any(str(found).startswith(f"omero.{side}.{key}.{name}") for found in faults(Workspace, changed)):
            taken.add(name)
    assert taken == set()
