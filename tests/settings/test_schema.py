"""`workspaces/schema.json` is what the models say, and every workspace file fits it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from scripts.errors import Failed
from scripts.maintain import schema
from settings.load import FOLDER

GOOD: dict[str, Any] = {
    "account_id": "123456789012",
    "region": "eu-west-1",
    "topology": "rw-http",
    "access": {"cidrs": ["192.0.2.0/24"]},
}


@pytest.fixture(scope="module")
def validator() -> Any:
    written = json.loads(schema.FILE.read_text(encoding="utf-8"))
    kind = jsonschema.validators.validator_for(written)
    kind.check_schema(written)
    return kind(written)


def test_is_current() -> None:
    assert schema.FILE.read_text(encoding="utf-8") == schema.text()


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_workspace_fits(validator: Any, path: Path) -> None:
    assert [error.message for error in validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize(
    "change",
    [
        {"acces": {}},
        {"name": "demo"},
        {"topology": "rw"},
        {"account_id": 123456789012},
        {"account_id": "1"},
        {"region": "Ireland"},
        {"omero": {"web": {"cuont": 1}}},
        {"access": {"cidrs": []}},
    ],
    ids=str,
)
def test_refuses(validator: Any, change: dict[str, Any]) -> None:
    assert validator.is_valid(GOOD)
    assert not validator.is_valid(GOOD | change)


def objects(part: Any) -> Iterator[dict[str, Any]]:
    """All objects with properties in a schema."""
    if isinstance(part, dict):
        if "properties" in part:
            yield part
        for child in part.values():
            yield from objects(child)


def test_every_section_is_closed_and_every_key_described() -> None:
    # What has no keys of its own is a map, such as that of OMERO's properties.
    found = [each for each in objects(schema.schema()) if each.get("type") == "object" and "properties" in each]
    assert len(found) > 8
    for section in found:
        assert section["additionalProperties"] is False
        assert [key for key, value in section["properties"].items() if not value.get("description")] == []


def test_check_fails_on_an_old_file_and_writing_mends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "FOLDER", tmp_path / "workspaces")
    monkeypatch.setattr(schema, "FILE", tmp_path / "workspaces" / "schema.json")
    (tmp_path / "workspaces").mkdir()
    with pytest.raises(Failed, match=r"schema.json is out of date .* run `make schema`"):
        schema.main(check=True)
    assert not schema.FILE.exists()
    schema.main(check=False)
    schema.main(check=True)
    assert schema.FILE.read_text(encoding="utf-8") == schema.text()
