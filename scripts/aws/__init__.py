"""What scripts do with boto3: sessions, calls, waits, and every error as one sentence that says what to do."""

from scripts.aws.calls import read, tag_list
from scripts.aws.errors import ERRORS, code_of, refused, sentence
from scripts.aws.session import check_account, session

__all__ = ["ERRORS", "check_account", "code_of", "read", "refused", "sentence", "session", "tag_list"]
