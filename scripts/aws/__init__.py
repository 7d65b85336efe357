"""What scripts do with boto3: sessions, calls, waits, and every error as one sentence that says what to do."""

from scripts.aws.calls import pages, read, retry, rows, tag_dict, tag_list
from scripts.aws.errors import ERRORS, code_of, denied, refused, sentence
from scripts.aws.session import check_account, session

__all__ = [
    "ERRORS",
    "check_account",
    "code_of",
    "denied",
    "pages",
    "read",
    "refused",
    "retry",
    "rows",
    "sentence",
    "session",
    "tag_dict",
    "tag_list",
]
