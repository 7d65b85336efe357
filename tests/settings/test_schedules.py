"""AWS's cron expressions, and the windows of the database."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from settings import schedules
from tests.conftest import Stacks, only, workspace

# The examples of EventBridge's user guide and of botocore's description of Backup's ScheduleExpression.
TAKEN = (
    *("cron(0 10 * * ? *)", "cron(15 12 * * ? *)", "cron(0 18 ? * MON-FRI *)", "cron(0 8 1 * ? *)"),
    *("cron(0/15 * * * ? *)", "cron(0/10 * ? * MON-FRI *)", "cron(0/5 8-17 ? * MON-FRI *)", "cron(0 5 ? * * *)"),
    *("cron(0 6 L * ? *)", "cron(0 6 3W * ? *)", "cron(0 6 ? * 3#2 *)", "cron(0 6 ? JAN,FEB 6L 2026-2030)"),
)


@pytest.mark.parametrize("expression", TAKEN)
def test_takes_what_aws_takes(expression: str) -> None:
    assert len(schedules.cron(expression)) == 6


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("0 3 * * ? *", "is not an AWS cron expression"),
        ("cron(0 3 * * ?)", "is not an AWS cron expression"),
        ("cron(0 3 * * *)", "is not an AWS cron expression"),
        ("cron(0 3 * * * *)", "must have ? as its day of month or as its day of week, and not as both"),
        ("cron(0 3 ? * ? *)", "and not as both"),
        ("cron(60 3 * * ? *)", "has 60 as its minutes, which AWS does not take; give 0 to 59"),
        ("cron(0 24 * * ? *)", "has 24 as its hours"),
        ("cron(0 3 0 * ? *)", "has 0 as its day of month"),
        ("cron(0 3 32W * ? *)", "has 32W as its day of month"),
        ("cron(0 3 * 13 ? *)", "has 13 as its month, which AWS does not take; give 1 to 12 or JAN to DEC"),
        ("cron(0 3 ? * 0 *)", "has 0 as its day of week"),
        ("cron(0 3 ? * 3#6 *)", "has 3#6 as its day of week"),
        ("cron(0 3 ? * 3#1,6#3 *)", "has 3#1,6#3 as its day of week"),
        ("cron(0 3 * * ? 1969)", "has 1969 as its year"),
        ("cron(0/0 3 * * ? *)", "has 0/0 as its minutes"),
        ("cron(0 9-5 * * ? *)", "has 9-5 as its hours"),
    ],
)
def test_refuses_what_aws_refuses(expression: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        schedules.cron(expression)
    for section in ({"data": {"backup": {"schedule": expression}}}, {"datasync": {"schedule": expression}}):
        with pytest.raises(ValidationError):
            workspace(**section)


@pytest.mark.parametrize(
    ("expression", "window"),
    [
        ("cron(0 3 * * ? *)", None),
        ("cron(30 1 * * ? *)", None),
        ("cron(29 1 * * ? *)", "own backup"),
        ("cron(0 0 * * ? *)", "own backup"),
        ("cron(59 23 * * ? *)", None),
        ("cron(0 */6 * * ? *)", "own backup"),
        ("cron(0 4 * * ? *)", "maintenance"),
        ("cron(59 3 * * ? *)", None),
        ("cron(0 5 ? * SUN *)", "maintenance"),
        ("cron(0 5 ? * MON-SAT *)", None),
        ("cron(0 5 ? * 2L *)", None),
        ("cron(0 5 ? * 1#2 *)", "maintenance"),
        ("cron(0 5 1 * ? *)", "maintenance"),
        ("cron(0 6 * * ? *)", None),
    ],
)
def test_backups_keep_clear_of_the_databases_windows(expression: str, window: str | None) -> None:
    if window is None:
        workspace(data={"backup": {"schedule": expression}})
        return
    with pytest.raises(ValidationError, match=window):
        workspace(data={"backup": {"schedule": expression}})


def test_the_windows_are_the_databases(synthesise: Any) -> None:
    stacks: Stacks = synthesise()
    database = only(stacks["data"], "aws_db_instance")
    assert database["backup_window"] == schedules.BACKUP_WINDOW
    assert database["maintenance_window"] == schedules.MAINTENANCE_WINDOW


@pytest.mark.parametrize(
    ("expression", "minutes"),
    [
        ("cron(0 * * * ? *)", 60),
        ("cron(0 3 * * ? *)", 1440),
        ("cron(0/30 * * * ? *)", 30),
        ("cron(0,59 0,23 * * ? *)", 1),
    ],
)
def test_knows_how_often_it_runs(expression: str, minutes: int) -> None:
    assert schedules.least_minutes_apart(expression) == minutes


@pytest.mark.parametrize("expression", ["cron(0/30 * * * ? *)", "cron(0,30 3 * * ? *)", "cron(* 3 * * ? *)"])
def test_datasync_runs_no_more_than_once_an_hour(expression: str) -> None:
    with pytest.raises(ValidationError, match="more often than once an hour"):
        workspace(datasync={"schedule": expression})
