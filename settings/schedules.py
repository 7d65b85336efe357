"""AWS's cron expressions: what they take, and when they run.

Six fields, as in the user guide of EventBridge ("Cron expressions reference"): minutes, hours, day of month, month,
day of week, year.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

EXAMPLE = "cron(0 3 * * ? *)"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MINUTES_OF_A_DAY = 1440

BACKUP_WINDOW = "01:00-01:30"
"""The database's own backup, every day, UTC."""
MAINTENANCE_WINDOW = "sun:05:00-sun:06:00"
"""The database's maintenance, UTC."""
# RDS takes no backup in a window nor in the hour before it (AWS Backup Developer Guide, "Backup plan options").
MINUTES_BEFORE = 60


@dataclass(frozen=True, kw_only=True)
class _Field:
    """`first` to `last` are its numbers; `words` its names, from the first number on; `also` matches the rest."""

    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()
    also: str = r"(?!)"


_FIELDS = (
    _Field(name="minutes", first=0, last=59),
    _Field(name="hours", first=0, last=23),
    _Field(name="day of month", first=1, last=31, also=r"\?|L|LW|([1-9]|[12][0-9]|3[01])W"),
    _Field(name="month", first=1, last=12, words=MONTHS),
    _Field(
        name="day of week", first=1, last=7, words=DAYS, also=r"\?|L|[1-7]L|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)#[1-5]"
    ),
    _Field(name="year", first=1970, last=2199),
)
_MINUTES, _HOURS, _DAY, _, _WEEKDAY, _ = range(6)


def cron(value: str) -> tuple[str, ...]:
    """The six fields of an expression.

    Raises:
        ValueError: AWS does not take it.
    """
    found = re.fullmatch(r"cron\((\S+(?: \S+){5})\)", value)
    if not found:
        raise ValueError(f"{value} is not an AWS cron expression; one looks like {EXAMPLE}, six fields in UTC")
    fields = tuple(found[1].split(" "))
    for field, text in zip(_FIELDS, fields, strict=True):
        if not re.fullmatch(field.also, text) and _numbers(field, text) is None:
            raise ValueError(
                f"{value} has {text} as its {field.name}, which AWS does not take; give {field.first} to {field.last}"
                f"{f' or {field.words[0]} to {field.words[-1]}' if field.words else ''}, *, or a list, a range or steps"
            )
    if (fields[_DAY] == "?") == (fields[_WEEKDAY] == "?"):
        raise ValueError(
            f"{value} must have ? as its day of month or as its day of week, and not as both; one looks like {EXAMPLE}"
        )
    return fields


def _numbers(field: _Field, text: str) -> set[int] | None:
    """The numbers that a field stands for; None if it is malformed."""
    found: set[int] = set()
    for part in text.split(","):
        spread, slash, step = part.partition("/")
        low, dash, high = spread.partition("-")
        if spread == "*":
            low, high = str(field.first), str(field.last)
        elif slash and not dash:
            high = str(field.last)
        elif not dash:
            high = low
        first, last = _number(field, low), _number(field, high)
        if first is None or last is None or first > last or (slash and not re.fullmatch(r"[1-9][0-9]*", step)):
            return None
        found |= set(range(first, last + 1, int(step or 1)))
    return found


def _number(field: _Field, text: str) -> int | None:
    if text in field.words:
        return field.first + field.words.index(text)
    if not re.fullmatch(r"[0-9]{1,4}", text) or not field.first <= int(text) <= field.last:
        return None
    return int(text)


def least_minutes_apart(value: str) -> int:
    """The least minutes between two runs of a valid expression, if it runs every day."""
    starts = sorted(_starts(cron(value)))
    # The first of the next day follows the last.
    return min(later - earlier for earlier, later in pairwise([*starts, starts[0] + MINUTES_OF_A_DAY]))


def _starts(fields: tuple[str, ...]) -> Iterator[int]:
    """Minutes since midnight at which it runs."""
    minutes, hours = _numbers(_FIELDS[_MINUTES], fields[_MINUTES]), _numbers(_FIELDS[_HOURS], fields[_HOURS])
    return (hour * 60 + minute for hour in hours or () for minute in minutes or ())


def meets_a_window(value: str) -> str | None:
    """Which window of the database a valid expression may start in or shortly before; None if in none.

    A day of the month may be a Sunday.
    """
    fields = cron(value)
    weekdays = _numbers(_FIELDS[_WEEKDAY], fields[_WEEKDAY])
    on_sundays = weekdays is None or 1 in weekdays
    if re.fullmatch(r"[2-7]L|L|([2-7]|MON|TUE|WED|THU|FRI|SAT)#[1-5]", fields[_WEEKDAY]):
        on_sundays = False
    for start in _starts(fields):
        if _within(start, BACKUP_WINDOW):
            return f"the database's own backup, {BACKUP_WINDOW} UTC every day"
        if on_sundays and _within(start, MAINTENANCE_WINDOW.replace("sun:", "")):
            return f"the database's maintenance, {MAINTENANCE_WINDOW} UTC"
    return None


def _within(start: int, window: str) -> bool:
    opens, closes = (int(hour) * 60 + int(minute) for hour, minute in (end.split(":") for end in window.split("-")))
    return opens - MINUTES_BEFORE <= start < closes
