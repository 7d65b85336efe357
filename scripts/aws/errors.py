"""Every error of boto3 as one sentence that says what to do."""

from __future__ import annotations

import os
import re

from boto3.exceptions import Boto3Error
from botocore import exceptions as boto

from scripts import trust

ERRORS: tuple[type[Exception], ...] = (boto.BotoCoreError, boto.ClientError, Boto3Error)
"""What boto3 raises; `sentence` and `refused` take any of these."""

MAX_ATTEMPTS = 5
"""Attempts of a call where `AWS_MAX_ATTEMPTS` is unset."""
CONNECT_TIMEOUT = 10
"""Seconds until a connection has to be made."""
READ_TIMEOUT = 60
"""Seconds until AWS has to answer."""

EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
CREDENTIAL_CODES = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "NotSignedUp",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
CLOCK_CODES = {"RequestTimeTooSkewed", "RequestInTheFuture"}
# Most services say a wrong clock as a wrong signature.
CLOCK_WORDS = re.compile(r"Signature (expired|not yet current)")
DENIED_CODES = {
    "403",
    "AccessDenied",
    "AccessDeniedException",
    "Forbidden",
    "NotAuthorized",
    "UnauthorizedAccess",
    "UnauthorizedOperation",
}
THROTTLED_CODES = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}

# IAM calls some operations of S3 by another name (Service Authorization Reference, Amazon S3).
S3_ACTIONS = {
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListObjectsV2": "ListBucket",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}

SSO_ERRORS = (boto.SSOError, boto.TokenRetrievalError, boto.NoAuthTokenError)
PROFILE_ERRORS = (
    boto.ConfigNotFound,
    boto.ConfigParseError,
    boto.InvalidConfigError,
    boto.ProfileNotFound,
    boto.UnknownCredentialError,
)
CREDENTIAL_ERRORS = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)
LOGIN_ERRORS = (boto.LoginError, boto.MissingDependencyException)
# Raised before a request could be sent.
UNREACHED_ERRORS = (boto.ConnectionError, boto.InvalidProxiesConfigError)
REGION_ERRORS = (boto.BaseEndpointResolverError, boto.InvalidRegionError, boto.UnknownRegionError)


def code_of(error: boto.ClientError) -> str:
    """AWS's error code, for instance `NoSuchBucket`; the HTTP status where a call has no body (`404`)."""
    return error.response.get("Error", {}).get("Code", "Unknown")


def denied(error: boto.ClientError) -> bool:
    """Whether AWS says that these credentials may not."""
    return code_of(error) in DENIED_CODES


def refused(error: Exception) -> bool:
    """Whether the request of `error` cannot have changed anything: it was not sent, or its sender is unknown to AWS."""
    if isinstance(error, boto.ClientError):
        return code_of(error) in EXPIRED_CODES | CREDENTIAL_CODES | CLOCK_CODES
    unsent = SSO_ERRORS + PROFILE_ERRORS + CREDENTIAL_ERRORS + LOGIN_ERRORS + UNREACHED_ERRORS + REGION_ERRORS
    return isinstance(error, (*unsent, boto.ParamValidationError))


def sentence(error: Exception) -> str:
    """What went wrong, with which value, and what to do next."""
    if isinstance(error, boto.ClientError):
        return _answer(error)
    if isinstance(error, (*SSO_ERRORS, *PROFILE_ERRORS, *CREDENTIAL_ERRORS, *LOGIN_ERRORS)):
        return _credentials(error)
    if isinstance(error, (*UNREACHED_ERRORS, *REGION_ERRORS, boto.HTTPClientError)):
        return _connection(error)
    values = getattr(error, "kwargs", {})
    match error:
        case boto.ParamValidationError():
            return f"a value does not fit the AWS call: {_clean(values['report'])}; fix it in the workspace file."
        case boto.WaiterError():
            return (
                f"AWS did not finish in time ({values['name']}): {_clean(values['reason'])}; "
                "see the AWS console for the reason, then run this again."
            )
        case _:
            return f"boto3 failed: {_clean(error)}; OMERO_DEBUG=1 shows where."


def _answer(error: boto.ClientError) -> str:
    """The sentence for what AWS itself answered."""
    code = code_of(error)
    said = _clean(error.response.get("Error", {}).get("Message") or "no message")
    operation = error.operation_name
    service = str(error.response.get("ResponseMetadata", {}).get("Service", ""))
    call = f"{service} {operation}".strip()
    if code in EXPIRED_CODES:
        return f"the AWS credentials have expired ({code} at {call}); renew them, for instance with `aws sso login`."
    if code in CLOCK_CODES or (code in CREDENTIAL_CODES and CLOCK_WORDS.search(said)):
        return f"AWS rejected {call} because this machine's clock is wrong ({code}: {said}); set the clock."
    if code in CREDENTIAL_CODES:
        return (
            f"AWS does not accept these credentials at {call} ({code}: {said}); check the keys or AWS_PROFILE, this "
            "machine's clock, and that the region is enabled for the account."
        )
    if denied(error):
        action = _action(service=service, operation=operation, said=said)
        return f"AWS denied {call}: {said}; allow {action} for the IAM identity, and check that no policy denies it."
    if code in THROTTLED_CODES:
        return (
            f"AWS throttled {call} at every attempt ({code}); wait a minute and run this again, or raise "
            f"AWS_MAX_ATTEMPTS (unset, it is {MAX_ATTEMPTS})."
        )
    return f"AWS refused {call} ({code}): {said}; fix that and run this again."


def _credentials(error: Exception) -> str:
    """The sentence for credentials that boto3 did not find or could not get."""
    values = getattr(error, "kwargs", {})
    profile = os.environ.get("AWS_PROFILE")
    match error:
        case boto.NoCredentialsError():
            return (
                "no AWS credentials were found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "and run this again."
            )
        case boto.PartialCredentialsError():
            return (
                f"the AWS credentials in {values['provider']} are incomplete: {values['cred_var']} is missing; "
                "give both the access key and the secret key."
            )
        case boto.ProfileNotFound():
            return (
                f"the AWS profile {values['profile']} is not configured; set AWS_PROFILE to one that "
                "`aws configure list-profiles` shows."
            )
        case boto.ConfigParseError() | boto.ConfigNotFound():
            return f"the AWS configuration file {values['path']} cannot be read; fix it, or set AWS_CONFIG_FILE."
        case boto.InvalidConfigError() | boto.UnknownCredentialError():
            return f"the AWS configuration is invalid: {_clean(error)}; fix the profile {profile or 'default'}."
        case _ if isinstance(error, SSO_ERRORS):
            login = f"aws sso login --profile {profile}" if profile else "aws sso login"
            return f"the AWS SSO session is missing or has expired; run `{login}` and then this again."
        case _:
            return f"AWS credentials could not be obtained: {_clean(error)}; fix the profile {profile or 'default'}."


def _connection(error: Exception) -> str:
    """The sentence for a request that did not reach AWS, or whose answer did not come back."""
    values = getattr(error, "kwargs", {})
    url = values.get("endpoint_url") or values.get("proxy_url") or "AWS"
    match error:
        case boto.ProxyConnectionError() | boto.InvalidProxiesConfigError():
            return _proxy(url, str(values.get("error", "")))
        case boto.SSLError():
            return _tls(url, _clean(values["error"]))
        case boto.ConnectTimeoutError():
            return f"{url} did not answer within {CONNECT_TIMEOUT} s; check the network and AWS_ENDPOINT_URL."
        case boto.ConnectionError():
            return f"{url} cannot be reached; check the network, the region's name and AWS_ENDPOINT_URL."
        case boto.ReadTimeoutError():
            return (
                f"{url} accepted the request but did not answer within {READ_TIMEOUT} s, so it may have been carried "
                "out; run this again, and it continues from there."
            )
        case boto.HTTPClientError():
            return f"the connection to {url} broke ({_clean(error)}); run this again, and it continues from there."
        case _:
            return f"the AWS region is invalid: {_clean(error)}; correct region in the workspace file."


def _proxy(url: str, said: str) -> str:
    """The sentence for a proxy that is not there, or that turned the request away."""
    answer = re.search(r"Tunnel connection failed: (\d+ [\w -]+)", said)
    if answer and answer[1].startswith("407"):
        return (
            f"the proxy {url} requires a user name and password; give both in HTTPS_PROXY, as "
            "http://USER:PASSWORD@HOST."
        )
    if answer:
        return f"the proxy {url} blocks AWS ({answer[1]}); have its operator allow AWS's endpoints."
    return f"the proxy {url} cannot be reached; check HTTPS_PROXY and NO_PROXY."


def _tls(url: str, said: str) -> str:
    """The sentence for a certificate that is not trusted, or a bundle of CA certificates that is none."""
    if re.search(r"No such file|Is a directory|Permission denied|NO_CERTIFICATE_OR_CRL_FOUND", said):
        return (
            f"the bundle of CA certificates cannot be read ({said}); correct AWS_CA_BUNDLE, ca_bundle in the AWS "
            "configuration, REQUESTS_CA_BUNDLE or SSL_CERT_FILE, whichever is set."
        )
    fault = trust.fault(f"{url} {said}")
    if fault and (bundle := os.environ.get("AWS_CA_BUNDLE")):
        return f"{fault.rstrip('.')}; AWS_CA_BUNDLE is set, so only the certificates in {bundle} are trusted."
    return fault or f"TLS with {url} failed ({said}); check HTTPS_PROXY and AWS_CA_BUNDLE."


def _action(*, service: str, operation: str, said: str) -> str:
    """The IAM action that was missing: as AWS names it, else made of service and operation."""
    if named := re.search(r"perform:? ([a-z0-9-]+:[A-Za-z]+)", said):
        return named[1]
    if service == "s3":
        operation = S3_ACTIONS.get(operation, operation)
    return f"{service}:{operation}" if service else operation


def _clean(text: object) -> str:
    """On one line, without a full stop at the end."""
    return " ".join(str(text).split()).rstrip(".")
