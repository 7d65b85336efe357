"""Rows of evidence: their faults can be planted, their tests exist, and a test that notices nothing is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.errors import Failed, Refused
from scripts.maintain import evidence
from settings.load import ROOT

ROWS = evidence.rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_a_fault_can_be_planted_and_its_test_is_there(row: evidence.Row, tmp_path: Path) -> None:
    copy = tmp_path / row.file
    copy.parent.mkdir(parents=True)
    before = (ROOT / row.file).read_text(encoding="utf-8")
    copy.write_text(before, encoding="utf-8")
    row.plant(tmp_path)
    after = copy.read_text(encoding="utf-8")
    assert after != before
    if row.file.endswith(".py"):
        compile(after, row.file, "exec")
    file, _, name = row.test.partition("::")
    assert not name or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_a_test_that_notices_is_told_from_one_that_does_not() -> None:
    row = next(row for row in ROWS if row.file == "modules/account.py")
    assert evidence.is_noticed(row)
    blind = replace(row, test="tests/stacks/test_regions.py::test_regions_are_botocores")
    assert not evidence.is_noticed(blind)
    with pytest.raises(Failed, match=r"pytest could not run tests/nowhere\.py"):
        evidence.is_noticed(replace(row, test="tests/nowhere.py"))


def test_refuses_a_fault_that_is_planted_nowhere(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"row 1: .* has the code to plant the fault in 0 times; correct `old` in tests/"):
        ROWS[0].plant(tmp_path)


def test_refuses_a_row_that_is_none() -> None:
    with pytest.raises(Refused, match=rf"0 is not a row; give 1 to {len(ROWS)}"):
        evidence.evidence([0])
