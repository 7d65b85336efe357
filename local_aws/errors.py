"""Errors as documents of the services' protocols: https://smithy.io/2.0/aws/protocols/index.html."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from moto.core.utils import get_service_model

# botocore's names of services that sign their requests with another one.
_SIGNED_AS = {
    "elasticloadbalancing": "elbv2",
    "elasticfilesystem": "efs",
    "monitoring": "cloudwatch",
    "email": "ses",
    "servicequotas": "service-quotas",
    "tagging": "resourcegroupstaggingapi",
}


def service(authorization: str) -> str:
    """botocore's name of the service that a request is signed for, or "" for an unsigned one."""
    scope = authorization.partition("Credential=")[2].split(",")[0].split("/")
    return _SIGNED_AS.get(scope[3], scope[3]) if len(scope) == 5 else ""


def document(service: str, code: str, message: str, *, has_target: bool, **members: str) -> tuple[str, bytes]:
    """The content type and the document. `has_target`: the request names its action in X-Amz-Target."""
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    protocol = _protocol(service)
    if protocol in ("json", "rest-json") or has_target:
        return "application/json", json.dumps({"__type": code, "message": message, **members}).encode()
    if protocol == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>local-aws</RequestID></Response>"
    elif service in ("s3", ""):
        text = f"<Error>{error}<RequestId>local-aws</RequestId></Error>"
    else:
        text = f"<ErrorResponse><Error>{error}</Error><RequestId>local-aws</RequestId></ErrorResponse>"
    return "text/xml", text.encode()


def headers(code: str) -> list[tuple[str, str]]:
    """Those of an error of any protocol."""
    return [("x-amzn-ErrorType", code), ("x-amzn-RequestId", "local-aws")]


def _protocol(service: str) -> str:
    try:
        return str(get_service_model(service).protocol)
    except Exception:  # botocore raises its own error for a service it does not know
        return "json"
