"""People in the user pool of AppStream, and that they see the stack. The pool is the region's, for all stacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import aws, console, csv_files
from scripts.console import counted
from scripts.errors import Failed, Refused
from scripts.ingest.appstream import stack
from scripts.ingest.appstream.context import AppStreamContext, Json

POOL = "USERPOOL"
ASSOCIATIONS = "describe_user_stack_associations"
AT_ONCE = 25  # of BatchAssociateUserStack
COLUMNS = ("email", "first_name", "last_name")
_EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"
_NAME = r"[A-Za-z0-9_\-\s]*"  # AppStream's own rule


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user to be given access to the stack. First and last name may be empty."""

    email: str
    first_name: str = ""
    last_name: str = ""

    def faults(self) -> list[str]:
        """What AppStream would not take, in sentences."""
        found = []
        if not re.fullmatch(_EMAIL, self.email) or len(self.email) > 128:
            found.append(f"{self.email!r} is not an e-mail address of up to 128 characters")
        for what, name in (("first name", self.first_name), ("last name", self.last_name)):
            if not re.fullmatch(_NAME, name):
                found.append(
                    f"the {what} {name!r} of {self.email} has characters that AppStream does not allow; give letters A "
                    "to Z, digits, spaces, hyphens and underscores, or leave it empty"
                )
        return found


def read(path: Path) -> list[Person]:
    """The people of a CSV file with the columns email, and if one likes first_name and last_name.

    Raises:
        Refused: the file cannot be used; all of its faults at once, one a line.
    """
    rows = csv_files.read(path, columns=COLUMNS, needed=("email",))
    people = [Person(**row.values) for row in rows]
    faults = [f"{row.where}: {fault}" for row, person in zip(rows, people, strict=True) for fault in person.faults()]
    faults += [f"{path}: {fault}" for fault in _twice(people)]
    faults += [f"{row.where}: {csv_files.MORE}" for row in rows if row.has_more]
    if faults:
        raise Refused("\n".join(f"{fault}." for fault in faults))
    return people


def _twice(people: Sequence[Person]) -> list[str]:
    first: dict[str, str] = {}
    found = []
    for person in people:
        key = person.email.casefold()
        if key in first:
            found.append(f"{first[key]} and {person.email} differ only in case; give the address once")
        first.setdefault(key, person.email)
    return found


def add(context: AppStreamContext, people: Sequence[Person], *, send_email: bool = True) -> None:
    """Have these people in the pool, and let them see the stack.

    Raises:
        Refused: one cannot be used, or is there in other upper and lower case, which to AppStream is another person.
        Failed: AppStream took some and not others; the sentence says which.
    """
    faults = [fault for person in people for fault in person.faults()]
    there = {user["UserName"]: user for user in pool(context)}
    folded = {name.casefold(): name for name in there}
    for person in people:
        other = folded.get(person.email.casefold())
        if other is not None and other != person.email:
            faults.append(
                f"{person.email} is in the user pool as {other}, and AppStream distinguishes upper and lower case; "
                f"write it that way, or run `appstream user remove {other}` first"
            )
    if faults:
        raise Refused("\n".join(f"{fault}." for fault in faults))
    for person in people:
        if person.email not in there:
            _create(context, person, send_email=send_email)
    seeing = set(members(context))
    _associate(context, [person.email for person in people if person.email not in seeing])


def _create(context: AppStreamContext, person: Person, *, send_email: bool) -> None:
    asked: Json = {"UserName": person.email, "AuthenticationType": POOL}
    if person.first_name:
        asked["FirstName"] = person.first_name
    if person.last_name:
        asked["LastName"] = person.last_name
    if not send_email:
        asked["MessageAction"] = "SUPPRESS"

    def creating() -> None:
        # A call that was carried out and not answered is made again by boto3.
        aws.read(lambda: context.retry(context.client.create_user, **asked), "ResourceAlreadyExistsException")

    mail = ", and e-mail requested from AWS" if send_email else ""
    context.changes.do(f"user {person.email}: added to the pool{mail}", creating)


def _associate(context: AppStreamContext, emails: Sequence[str]) -> None:
    for batch in _batches(emails):
        pairs = _pairs(context, batch)
        context.changes.do(
            f"stack {context.name}: access granted to {', '.join(batch)}",
            lambda pairs=pairs: _each(context, context.client.batch_associate_user_stack, pairs),  # type: ignore[misc]
        )


def _batches(emails: Sequence[str]) -> Iterable[Sequence[str]]:
    return (emails[start : start + AT_ONCE] for start in range(0, len(emails), AT_ONCE))


def _pairs(context: AppStreamContext, emails: Sequence[str]) -> list[Json]:
    return [{"StackName": context.name, "UserName": email, "AuthenticationType": POOL} for email in emails]


def _each(context: AppStreamContext, call: Any, pairs: list[Json]) -> None:
    """Failures of single people are told with status 200.

    Raises:
        Failed: with who failed, and why.
    """
    errors = context.retry(call, UserStackAssociations=pairs).get("errors", [])
    if errors:
        said = [
            f"{each['UserStackAssociation']['UserName']} ({each['ErrorCode']}: {each['ErrorMessage'].rstrip('.')})"
            for each in errors
        ]
        raise Failed(
            f"AppStream did not accept {len(errors)} of {counted(len(pairs), 'user')}: {', '.join(said)}; the others "
            "are done; run the same command again to retry these."
        )


def remove(context: AppStreamContext, email: str) -> None:
    """Let a person see the stack no longer, and delete them from the pool if no other stack is shown to them.

    The home folder stays.

    Raises:
        Refused: there is no such person; in upper and lower case as AppStream has it.
    """
    _check_there(context, email)
    rows = context.rows(ASSOCIATIONS, "UserStackAssociations", UserName=email, AuthenticationType=POOL)
    stacks = {row["StackName"] for row in rows}
    if context.name in stacks:
        _hide(context, [email])
    if others := sorted(stacks - {context.name}):
        console.say(f"user {email} stays in the pool, for the stack {', '.join(others)}")
        return
    context.changes.do(
        f"user {email}: deleted from the pool; the home folder stays",
        lambda: context.retry(context.client.delete_user, UserName=email, AuthenticationType=POOL),
    )


def _hide(context: AppStreamContext, emails: Sequence[str]) -> None:
    for batch in _batches(emails):
        pairs = _pairs(context, batch)
        context.changes.do(
            f"stack {context.name}: access removed from {', '.join(batch)}",
            lambda pairs=pairs: _each(context, context.client.batch_disassociate_user_stack, pairs),  # type: ignore[misc]
        )


def hide_all(context: AppStreamContext) -> None:
    """Let nobody see the stack any longer. They stay in the pool."""
    _hide(context, members(context))


def resend(context: AppStreamContext, email: str) -> None:
    """Have AWS write to somebody again, with a new password that is valid for seven days. May raise Refused."""
    _check_there(context, email)
    asked = {"UserName": email, "AuthenticationType": POOL, "MessageAction": "RESEND"}
    context.changes.do(
        f"user {email}: e-mail requested from AWS again", lambda: context.retry(context.client.create_user, **asked)
    )


def _check_there(context: AppStreamContext, email: str) -> None:
    names = [user["UserName"] for user in pool(context)]
    if email not in names:
        others = [name for name in names if name.casefold() == email.casefold()]
        hint = f"; there is {others[0]}, and AppStream distinguishes upper and lower case" if others else ""
        raise Refused(
            f"{email} is not in the user pool of {context.region}{hint}; `appstream user list` shows the users."
        )


def pool(context: AppStreamContext) -> list[Json]:
    """All users of the pool."""
    return context.rows("describe_users", "Users", AuthenticationType=POOL)


def members(context: AppStreamContext) -> list[str]:
    """Who sees the stack."""
    if stack.find(context) is None:
        return []
    rows = context.rows(ASSOCIATIONS, "UserStackAssociations", StackName=context.name)
    return [row["UserName"] for row in rows if row["AuthenticationType"] == POOL]
