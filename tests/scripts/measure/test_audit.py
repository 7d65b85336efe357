"""The audit fails for what is undeclared, for what is stale, and when checkov looked at nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import Failed
from scripts.measure.audit import Finding, declared_skips, match

FOUND = Finding(stack="omero", block="balancer", check="CKV_AWS_150")


def _checkov(*failed: dict[str, str], passed: int = 5, parsing_errors: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    results = {"failed_checks": list(failed), "parsing_errors": list(parsing_errors)}
    return [{"check_type": "terraform_json", "results": results, "summary": {"passed": passed}}]


def _failure(resource: str) -> dict[str, str]:
    return {"check_id": "CKV_AWS_150", "check_name": "x", "resource": resource, "file_path": "/omero/cdk.tf.json"}


@pytest.mark.parametrize("resource", ["resource.balancer", "aws_lb.balancer"])
def test_a_finding_is_met_by_its_declared_skip(resource: str) -> None:
    report = match(_checkov(_failure(resource)), {FOUND: "retain is false"})
    assert (report.undeclared, report.stale, report.passed) == ([], [], 5)


def test_an_undeclared_finding_fails() -> None:
    assert match(_checkov(_failure("resource.balancer")), {}).undeclared == [FOUND]


def test_a_skip_of_another_block_or_check_does_not_count() -> None:
    for other in (
        Finding(stack="omero", block="other", check="CKV_AWS_150"),
        Finding(stack="data", block="balancer", check="CKV_AWS_150"),
    ):
        report = match(_checkov(_failure("resource.balancer")), {other: "reason"})
        assert report.undeclared == [FOUND]
        assert report.stale == [other]


def test_a_skip_that_nothing_needs_is_stale() -> None:
    assert match(_checkov(), {FOUND: "retain is false"}).stale == [FOUND]


def test_refuses_to_call_a_stack_clean_that_could_not_be_read() -> None:
    with pytest.raises(Failed, match=r"could not read /omero/cdk\.tf\.json"):
        match(_checkov(parsing_errors=("/omero/cdk.tf.json",)), {})


def test_refuses_to_call_clean_what_was_not_looked_at() -> None:
    with pytest.raises(Failed, match="did not check the stacks"):
        match(_checkov(passed=0), {})


def test_reads_skips_of_resources_and_data_sources(tmp_path: Path) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    block = {"//": {"checkov_skips": {"CKV_AWS_394": "a subnet never moves"}}}
    stack = {"resource": {"aws_lb": {"plain": {}}}, "data": {"aws_availability_zones": {"vpc_zones": block}}}
    (folder / "cdk.tf.json").write_text(json.dumps(stack))
    assert declared_skips(tmp_path) == {
        Finding(stack="network", block="vpc_zones", check="CKV_AWS_394"): "a subnet never moves"
    }
