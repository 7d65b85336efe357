"""SNS: subjects that Publish refuses. moto 5.2.5 answers a long one with an error of its own, and takes any other.

botocore's model of Publish has the rule; that AWS takes 100 characters, refuses none, and its words, are in issue 1503
of getmoto/moto and issue 1107 of wellcomecollection/platform.
"""

from __future__ import annotations

from typing import Any

from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import SNSBackend

MOST_CHARACTERS = 100

_publish = SNSBackend.publish


def install() -> None:
    """Put it into moto's SNS. A second time changes nothing."""
    SNSBackend.publish = publish


def publish(self: Any, message: str, *arguments: Any, subject: str | None = None, **more: Any) -> Any:
    """moto's, with a subject that SNS takes."""
    if subject is not None and not (1 <= len(subject) <= MOST_CHARACTERS and subject.isprintable()):
        raise SNSInvalidParameter("Invalid parameter: Subject")
    return _publish(self, message, *arguments, subject=subject, **more)
