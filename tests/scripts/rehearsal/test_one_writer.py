"""What a plan of an update must not do."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.rehearsal import one_writer

WELL = {"desired_count": 1, "deployment_minimum_healthy_percent": 0, "deployment_maximum_percent": 100}


def _plan(**changes: tuple[list[str], dict[str, Any]]) -> dict[str, Any]:
    found = {
        "aws_ecs_service.server": (["update"], WELL),
        "aws_ecs_service.read_only_1": (["update"], WELL),
        "aws_ecs_service.web": (["no-op"], {}),
        "aws_ecs_task_definition.server_task_definition": (["delete", "create"], {}),
        **changes,
    }
    return {
        "resource_changes": [
            {"address": address, "change": {"actions": actions, "after": after}}
            for address, (actions, after) in found.items()
        ]
    }


def test_an_update_in_place_with_one_task_is_well() -> None:
    assert not list(one_writer.faults(_plan()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"aws_ecs_service.server": (["delete", "create"], WELL)}, "it would delete and create aws_ecs_service.server"),
        (
            {"aws_ecs_service.server": (["update"], {**WELL, "deployment_maximum_percent": 200})},
            "aws_ecs_service.server would have deployment_maximum_percent 200, instead of 100",
        ),
        (
            {"aws_ecs_service.read_only_1": (["update"], {**WELL, "desired_count": 2})},
            "aws_ecs_service.read_only_1 would have desired_count 2, instead of 1",
        ),
        ({"aws_efs_file_system.file_system": (["update"], {})}, "it would update aws_efs_file_system.file_system too"),
        ({"aws_ecs_service.server": (["no-op"], WELL)}, "it would no-op aws_ecs_service.server instead of updating"),
    ],
)
def test_says_what_is_not_well(changes: dict[str, Any], said: str) -> None:
    (fault,) = one_writer.faults(_plan(**changes))
    assert fault.startswith(said)


def test_says_that_there_is_no_server() -> None:
    assert list(one_writer.faults({"resource_changes": []})) == ["it has no read-write server"]


def test_any_change_may_create_update_or_delete_a_server() -> None:
    for actions, after in ((["create"], WELL), (["update"], WELL), (["no-op"], WELL), (["delete"], {})):
        assert not list(one_writer.overlaps(_plan(**{"aws_ecs_service.server": (actions, after)})))


@pytest.mark.parametrize("actions", [["delete", "create"], ["create", "delete"]])
def test_no_change_may_replace_a_server(actions: list[str]) -> None:
    (fault,) = one_writer.overlaps(_plan(**{"aws_ecs_service.server": (actions, WELL)}))
    assert fault == f"it would {' and '.join(actions)} aws_ecs_service.server instead of updating it in place"


def test_no_change_may_have_two_writers() -> None:
    wrong = {**WELL, "deployment_maximum_percent": 200}
    (fault,) = one_writer.overlaps(_plan(**{"aws_ecs_service.server": (["update"], wrong)}))
    assert fault == "aws_ecs_service.server would have deployment_maximum_percent 200, not 100"
