"""The check of a request before a service answers it, for callers who are not the administrator.

Parameters are read by botocore's model of the service. The errors are those of the services: EC2 answers
UnauthorizedOperation, services with an XML protocol AccessDenied, all others AccessDeniedException.
"""

from __future__ import annotations

import io
import re
from typing import Any
from urllib.parse import parse_qs

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.utilities.utils import get_partition

from local_aws.rights import decision, needs_data, needs_run, needs_ways, principals, usage
from local_aws.rights.needs import FREE, ROWS, Call
from local_aws.rights.policies import NotEvaluated
from local_aws.rights.principals import Caller, UnknownKey

Environ = dict[str, Any]

TABLES = (needs_data, needs_run, needs_ways)  # they fill ROWS

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/")
_STATUS = {"ec2": 403, "query": 403, "rest-xml": 403, "rest-json": 403}


class Denied(Exception):
    """The service refuses the request: with a status, a code and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def check(environ: Environ, service: str, operation: str) -> None:
    """Raise Denied where the caller may not make this request, and NotEvaluated where that cannot be told.

    `service`, `operation`: by botocore's names.
    """
    key, token, region = _credential(environ)
    try:
        caller = principals.caller(key, token)
    except UnknownKey:
        raise Denied(403, *_unknown(service)) from None
    if caller is None or f"{service}:{operation}" in FREE:
        return
    call = Call(service, operation, _asked(environ, service, operation), caller.account, region, get_partition(region))
    check_call(caller, call)


def check_call(caller: Caller, call: Call) -> None:
    """The same, of a call that a service makes in a role."""
    try:
        _check(caller, call)
    except NotImplementedError as error:
        usage.refused(caller, str(error))
        raise


def _check(caller: Caller, call: Call) -> None:
    made = ROWS.get(f"{call.service}:{call.operation}")
    if made is None:
        raise NotEvaluated(
            f"local AWS does not know which right {call.service}:{call.operation} needs; add a row to local_aws.rights"
        )
    for need in made(call):
        refused = decision.refusal(caller, need, call.region)
        if refused is not None:
            raise denied(call.service, refused.need.action, refused.message)


def denied(service: str, action: str, message: str) -> Denied:
    """The service's error for a refusal by IAM."""
    protocol = str(get_service_model(service).protocol)
    if service == "ec2":
        return Denied(403, "UnauthorizedOperation", f"You are not authorized to perform this operation. {message}")
    if service == "secretsmanager" and action.startswith("kms:"):
        # Issue 10 of GiamPy5/terraform-aws-directus shows its words; the reason is said here alone.
        return Denied(400, "AccessDeniedException", f"Access to KMS is not allowed ({message})")
    xml = protocol in ("query", "rest-xml") or service in ("sqs", "cloudwatch")
    return Denied(_STATUS.get(protocol, 400), "AccessDenied" if xml else "AccessDeniedException", message)


def _unknown(service: str) -> tuple[str, str]:
    message = "The security token included in the request is invalid."
    if service == "s3":
        return "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
    if service == "ec2":
        return "AuthFailure", "AWS was not able to validate the provided access credentials"
    protocol = str(get_service_model(service).protocol)
    return ("InvalidClientTokenId" if protocol == "query" else "UnrecognizedClientException"), message


def _credential(environ: Environ) -> tuple[str, str | None, str]:
    """Access key, session token and region of a signed request, also of one that is signed in its URL."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN")
    if found is None:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        found = _CREDENTIAL.search(f"Credential={query.get('X-Amz-Credential', [''])[0]}")
        token = query.get("X-Amz-Security-Token", [token])[0]
    return (found[1], token, found[2]) if found else ("", None, "us-east-1")


def _asked(environ: Environ, service: str, operation: str) -> dict[str, Any]:
    """The request's parameters. The body is put back; that of an object is not read."""
    body = b""
    if service != "s3":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
    request = Request({**environ, "wsgi.input": io.BytesIO(body)})
    model = get_service_model(service)
    params: dict[str, Any] = {}
    if str(model.protocol).startswith("rest"):
        _, params = get_service_router(service).match(request)
    parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)](model.operation_model(operation))
    asked: dict[str, Any] = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": body,
            "url_path": request.path,
            "url_params": params,
        }
    )
    return asked
