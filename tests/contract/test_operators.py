"""The rights of operators are those that the documents list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contract import operators
from contract.operators import Place, Rights
from contract.policy import Statement, document
from settings import load
from tests.conftest import workspace
from tests.settings.test_sign_in import LEAST, TLS

DOCS = Path(__file__).resolve().parents[2] / "docs"
WRITES = {f"dynamodb:{each}" for each in ("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem")}
_CODE = re.compile(r"`((?:[a-z0-9]+:)?(?:[A-Z]\w+|\*))`")


@pytest.fixture(scope="module")
def place() -> Place:
    key = "arn:aws:kms:eu-west-1:111122223333:key/"
    return Place(
        workspace=load("demo"), data_key_arn=f"{key}1", omero_key_arn=f"{key}2", file_system_id="fs-0123456789abcdef0"
    )


def _rows(name: str) -> list[list[str]]:
    """The rows of the table below the heading Permissions."""
    section = (DOCS / name).read_text(encoding="utf-8").partition("## Permissions")[2].partition("\n## ")[0]
    return [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]


def _listed(text: str) -> Iterator[str]:
    """The actions in a row; one without a service has that of the action before."""
    service = ""
    for action in _CODE.findall(text):
        service = action.partition(":")[0] if ":" in action else service
        yield action if ":" in action else f"{service}:{action}"


def _granted(statements: tuple[Statement, ...]) -> list[str]:
    return sorted({action for each in statements for action in each.actions})


@pytest.mark.parametrize(
    ("row", "rights"), list(enumerate((operators.deployment, operators.imports, operators.execute)))
)
def test_imports_list_the_rights(place: Place, row: int, rights: Rights) -> None:
    assert sorted(_listed(_rows("ingest/imports.md")[row][1])) == _granted(rights(place))


def test_sftp_lists_the_rights(place: Place) -> None:
    listed = sorted({action for row in _rows("ingest/sftp.md") for action in _listed(row[1])})
    assert listed == _granted(operators.sftp(place))


@pytest.fixture(scope="module")
def signing_in(place: Place) -> Place:
    return replace(place, workspace=workspace(**TLS, sign_in=LEAST))


def test_sign_in_lists_the_rights(signing_in: Place) -> None:
    listed = sorted({action for row in _rows("sign-in.md") for action in _listed(row[1])})
    assert listed == _granted(operators.sign_in(signing_in))
    assert len(document(*operators.sign_in(signing_in))) < 10_240


def test_there_are_no_rights_to_sign_in_without_the_section(place: Place) -> None:
    with pytest.raises(ValueError, match="workspace demo has no section sign_in"):
        operators.sign_in(place)


def test_images_list_the_rights(place: Place) -> None:
    listed = sorted({action for row in _rows("images.md") for action in _listed(row[1])})
    assert listed == _granted(operators.images(place))


@pytest.mark.parametrize(
    "rights", [operators.deployment, operators.imports, operators.execute, operators.sftp, operators.images]
)
def test_a_policy_can_be_made_of_them(place: Place, rights: Rights) -> None:
    # IAM's limit for the inline policies of a role is 10,240 characters.
    assert len(document(*rights(place))) < 10_240


def test_an_importer_is_asked_and_nothing_that_it_remembers_is_written(place: Place) -> None:
    writing = [each for each in operators.imports(place) if set(each.actions) & WRITES]
    (asking,) = writing
    assert asking.actions == ("dynamodb:PutItem",)
    assert [arn.rpartition("/")[2] for arn in asking.resources] == ["omero-demo-import-requests"]
    assert asking.conditions == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ("request", "control")}}


@pytest.mark.parametrize("rights", [operators.deployment, operators.imports, operators.execute])
def test_nobody_may_run_a_task_or_pass_a_role(place: Place, rights: Rights) -> None:
    assert not {"ecs:RunTask", "iam:PassRole"} & set(_granted(rights(place)))
