"""Sessions of boto3 for a workspace.

The clients of a session made here share one configuration: retries in the mode "standard", as many
attempts as `AWS_MAX_ATTEMPTS` says (5 unless set), time-outs in seconds. boto3 itself reads the
profile, the credentials and `AWS_ENDPOINT_URL` from the environment. They trust what this machine trusts, where
boto3 by itself trusts a list of its own, and take no web page of a proxy for an answer of AWS.
"""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from scripts import trust
from scripts.aws.errors import CONNECT_TIMEOUT, MAX_ATTEMPTS, READ_TIMEOUT
from scripts.errors import Refused
from settings import Workspace


def session(workspace: Workspace, region: str | None = None) -> boto3.Session:
    """A session in `region`, by default the workspace's; its clients share one configuration.

    Raises:
        Refused: an AWS variable of the environment has a value that boto3 cannot use.
        boto.ProfileNotFound: `AWS_PROFILE` names none.
    """
    _check_endpoints()
    core = botocore.session.get_session()
    core.set_default_client_config(
        Config(
            retries={"mode": "standard", "total_max_attempts": _max_attempts()},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            user_agent_extra="omero-on-aws",
        )
    )
    if bundle := _bundle(core):
        core.set_config_variable("ca_bundle", bundle)
    core.register("before-parse", _refuse_page)
    core.register("after-call", _note_service)
    return boto3.Session(botocore_session=core, region_name=region or workspace.region)


def check_account(session: boto3.Session, workspace: Workspace) -> None:
    """Ask AWS whose credentials these are.

    Raises:
        Refused: they belong to another account than the workspace.
    """
    account = session.client("sts").get_caller_identity()["Account"]
    if account != workspace.account_id:
        raise Refused(
            f"the AWS credentials belong to account {account}, but workspace {workspace.name} has account_id "
            f"{workspace.account_id}; set AWS_PROFILE to a profile of {workspace.account_id}, or another TF_WORKSPACE."
        )


def _bundle(core: botocore.session.Session) -> str | None:
    """The machine's certificates; None where the user named others, by a variable or in the AWS configuration."""
    if core.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE"):
        return None
    found = trust.bundle(os.environ)
    return str(found) if found else None


def _refuse_page(**event: Any) -> None:
    """Refuse a web page in AWS's place. botocore takes one with status 200 for an empty answer of most services.

    AWS numbers each answer in a header, whose name begins with `x-amz`. A page with a status of 500 or more may come
    from AWS's own front: botocore tries again.
    """
    operation, response = event["operation_model"], event["response_dict"]
    headers = {name.lower(): value for name, value in response["headers"].items()}
    is_page = headers.get("content-type", "").startswith("text/html")
    if not is_page or response["status_code"] >= 500 or any(name.startswith("x-amz") for name in headers):
        return
    service = operation.service_model.service_name
    raise Refused(
        f"{service} {operation.name} got a web page instead of AWS's answer (HTTP {response['status_code']}), "
        "which a proxy or a login page of the network wrote; open any page in a browser to see what it requires, "
        "check HTTPS_PROXY and AWS_ENDPOINT_URL, and run this again."
    )


def _note_service(**event: Any) -> None:
    """Keep the service's name, which IAM actions begin with, in the answer: botocore's error lacks it."""
    metadata = event["parsed"].setdefault("ResponseMetadata", {})
    metadata["Service"] = event["model"].service_model.signing_name


def _max_attempts() -> int:
    text = os.environ.get("AWS_MAX_ATTEMPTS") or str(MAX_ATTEMPTS)
    if not re.fullmatch(r"[1-9]\d{0,2}", text):
        raise Refused(f"AWS_MAX_ATTEMPTS is {text!r}; give a whole number from 1 to 999, or unset it.")
    return int(text)


def _check_endpoints() -> None:
    """Botocore raises a bare ValueError for such a value, and only at the first call."""
    for name, url in os.environ.items():
        if name.startswith("AWS_ENDPOINT_URL") and url and not _is_url(url):
            raise Refused(f"{name} is {url!r}; give a URL such as http://localhost:4566, or unset it.")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an unclosed bracket, or a port that is none
        return False
