"""Sessions, and the sentence for every kind of boto3's errors."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore import exceptions as boto
from botocore.awsrequest import AWSResponse
from botocore.stub import Stubber
from moto import mock_aws

from scripts import aws, trust
from scripts.errors import Refused
from settings import Workspace
from settings.load import parse

YAML = 'account_id: "123456789012"\nregion: eu-west-1\ntopology: rw-http\naccess: {cidrs: [192.0.2.0/24]}\n'
URL = "https://s3.eu-west-1.amazonaws.com/"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)


@pytest.fixture
def mocked() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def workspace() -> Workspace:
    return parse(YAML, "demo", "demo.yaml")


def client_error(code: str, message: str = "Said so.", operation: str = "PutBucketEncryption") -> boto.ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"Service": "s3"}}
    return boto.ClientError(answer, operation)


def proxy_error(answer: str) -> boto.ProxyConnectionError:
    return boto.ProxyConnectionError(proxy_url="http://proxy:1", error=f"Tunnel connection failed: {answer}')")


CASES = [
    # error, whether nothing can have changed, what the sentence has to say
    (boto.NoCredentialsError(), True, ["no AWS credentials", "AWS_PROFILE"]),
    (boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), True, ["AWS_SECRET_ACCESS_KEY"]),
    (boto.ProfileNotFound(profile="lab"), True, ["lab", "aws configure list-profiles"]),
    (boto.ConfigParseError(path="aws.ini"), True, ["aws.ini", "AWS_CONFIG_FILE"]),
    (boto.InfiniteLoopConfigError(source_profile="a", visited_profiles="a, b"), True, ["fix the profile default"]),
    (boto.TokenRetrievalError(provider="sso", error_msg="expired"), True, ["aws sso login"]),
    (boto.UnauthorizedSSOTokenError(), True, ["expired", "aws sso login"]),
    (boto.SSOTokenLoadError(error_msg="no file"), True, ["aws sso login"]),
    (boto.CredentialRetrievalError(provider="process", error_msg="exit 1"), True, ["process", "exit 1"]),
    (boto.LoginRefreshRequired(), True, ["aws login"]),
    (client_error("ExpiredToken"), True, ["expired", "ExpiredToken"]),
    (client_error("ExpiredTokenException"), True, ["expired"]),
    (client_error("InvalidClientTokenId"), True, ["does not accept", "region is enabled"]),
    (client_error("UnrecognizedClientException"), True, ["does not accept"]),
    (client_error("SignatureDoesNotMatch"), True, ["does not accept"]),
    (client_error("RequestTimeTooSkewed"), True, ["clock"]),
    (
        client_error("SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier"),
        True,
        ["set the clock"],
    ),
    (
        client_error("InvalidSignatureException", "Signature not yet current: 2026 is still later"),
        True,
        ["set the clock"],
    ),
    (client_error("AuthFailure", "AWS was not able to validate the credentials"), True, ["clock", "AWS_PROFILE"]),
    (client_error("AccessDenied"), False, ["s3:PutEncryptionConfiguration"]),
    (
        client_error("AccessDenied", "User: u is not authorized to perform: kms:Decrypt on resource: k"),
        False,
        ["allow kms:Decrypt for"],
    ),
    (client_error("UnauthorizedOperation", operation="CreateBucket"), False, ["s3:CreateBucket"]),
    (client_error("403", "Forbidden", "HeadBucket"), False, ["s3:ListBucket"]),
    (client_error("SlowDown"), False, ["throttled", "AWS_MAX_ATTEMPTS"]),
    (client_error("ThrottlingException"), False, ["throttled"]),
    (client_error("ProvisionedThroughputExceededException"), False, ["throttled"]),
    (client_error("NoSuchKey"), False, ["s3 PutBucketEncryption", "NoSuchKey", "Said so"]),
    (boto.EndpointConnectionError(endpoint_url=URL), True, [URL, "region", "AWS_ENDPOINT_URL"]),
    (boto.ConnectTimeoutError(endpoint_url=URL), True, [URL, "10 s"]),
    (boto.ProxyConnectionError(proxy_url="http://proxy:1"), True, ["http://proxy:1", "HTTPS_PROXY"]),
    (
        proxy_error("407 Proxy Authentication Required"),
        True,
        ["http://proxy:1", "user name and password", "HTTPS_PROXY"],
    ),
    (proxy_error("403 Forbidden"), True, ["http://proxy:1", "403 Forbidden", "allow AWS's endpoints"]),
    (boto.SSLError(endpoint_url=URL, error=OSError("handshake failure")), True, ["handshake", "AWS_CA_BUNDLE"]),
    (
        boto.SSLError(endpoint_url=URL, error=OSError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")),
        True,
        ["certificate of s3.eu-west-1.amazonaws.com is not trusted", "a proxy that inspects TLS", "SSL_CERT_FILE"],
    ),
    (
        boto.SSLError(endpoint_url=URL, error=FileNotFoundError(2, "No such file or directory")),
        True,
        ["bundle of CA certificates cannot be read", "AWS_CA_BUNDLE", "SSL_CERT_FILE"],
    ),
    (boto.ReadTimeoutError(endpoint_url=URL), False, [URL, "may have been carried out"]),
    (boto.ConnectionClosedError(endpoint_url=URL), False, [URL, "run this again"]),
    (boto.NoRegionError(), True, ["region"]),
    (boto.InvalidRegionError(region_name="a b"), True, ["region"]),
    (boto.ParamValidationError(report="Bucket:\n  too long."), True, ["Bucket: too long;"]),
    (boto.WaiterError(name="BucketExists", reason="Max attempts", last_response={}), False, ["BucketExists"]),
    (boto.PaginationError(message="odd"), False, ["OMERO_DEBUG"]),
    (S3UploadFailedError("Failed to upload a to b: reason"), False, ["Failed to upload a to b: reason"]),
]


def case_id(value: object) -> str:
    if isinstance(value, boto.ClientError):
        return aws.code_of(value)
    return type(value).__name__ if isinstance(value, Exception) else ""


@pytest.mark.parametrize(("error", "refused", "said"), CASES, ids=case_id)
def test_error_is_one_sentence(error: Exception, refused: bool, said: list[str]) -> None:
    assert isinstance(error, aws.ERRORS)
    sentence = aws.sentence(error)
    assert [text for text in said if text not in sentence] == []
    assert "\n" not in sentence
    assert re.search(r"[^.]\.$", sentence)
    assert aws.refused(error) is refused


def test_names_the_bundle_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/mine.pem")
    sentence = aws.sentence(boto.SSLError(endpoint_url=URL, error=OSError("CERTIFICATE_VERIFY_FAILED")))
    assert "AWS_CA_BUNDLE is set, so only the certificates in /mine.pem are trusted." in sentence


def verified_by(workspace: Workspace) -> object:
    """The bundle of certificates that a client takes; True for boto3's own."""
    client: Any = aws.session(workspace).client("sts")
    return client._endpoint.http_session._verify


def test_trusts_what_the_machine_trusts_unless_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(trust, "BUNDLES", ("/none",))
    monkeypatch.setattr(trust, "_own_bundle", lambda: "/none")
    assert verified_by(workspace) is True, "a machine without a store"
    monkeypatch.setenv("SSL_CERT_FILE", "/machine.pem")
    assert verified_by(workspace) == "/machine.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/requests.pem")
    assert verified_by(workspace) == "/requests.pem"
    config = tmp_path / "config"
    config.write_text("[default]\nca_bundle = /profile.pem\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert verified_by(workspace) == "/profile.pem"
    monkeypatch.setenv("AWS_CA_BUNDLE", "/aws.pem")
    assert verified_by(workspace) == "/aws.pem"


LOG_IN = b"<html><head><title>Guest network</title></head><body>Please log in.</body></html>"


@pytest.mark.parametrize("status", [200, 302, 403, 511])
@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("sts", "get_caller_identity", {}),
        ("dynamodb", "describe_table", {"TableName": "abc"}),
        ("s3", "head_bucket", {"Bucket": "abc"}),
        ("s3", "get_object", {"Bucket": "abc", "Key": "a"}),
        ("efs", "describe_file_systems", {}),
    ],
)
def test_takes_no_web_page_for_an_answer(
    workspace: Workspace, service: str, operation: str, arguments: dict[str, str], status: int
) -> None:
    session: Any = aws.session(workspace)
    client = session.client(service, aws_access_key_id="testing", aws_secret_access_key="testing")
    raw = type("Raw", (io.BytesIO,), {"stream": lambda self, **_: iter([self.read()])})(LOG_IN)
    headers: Any = {"Content-Type": "text/html; charset=utf-8"}
    page = AWSResponse(URL, status, headers, raw)
    client.meta.events.register("before-send", lambda **_: page)
    if status >= 500:
        with pytest.raises(boto.ClientError) as caught:
            getattr(client, operation)(**arguments)
        assert aws.code_of(caught.value) == str(status)
        return
    with pytest.raises(Refused, match=rf"{service} \w+ got a web page instead of AWS's answer \(HTTP {status}\)"):
        getattr(client, operation)(**arguments)


def test_takes_an_object_that_is_a_web_page(workspace: Workspace) -> None:
    with mock_aws():
        client: Any = aws.session(workspace).client("s3")
        client.create_bucket(Bucket="abc", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        client.put_object(Bucket="abc", Key="a", Body=LOG_IN, ContentType="text/html")
        assert client.get_object(Bucket="abc", Key="a")["Body"].read() == LOG_IN


def test_sso_sentence_names_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert "aws sso login --profile lab" in aws.sentence(boto.UnauthorizedSSOTokenError())


@pytest.mark.usefixtures("mocked")
def test_denied_call_names_service_and_operation(workspace: Workspace) -> None:
    client = aws.session(workspace).client("dynamodb")
    with Stubber(client) as stub:
        stub.add_client_error("describe_table", "AccessDeniedException", "no")
        with pytest.raises(boto.ClientError) as caught:
            client.describe_table(TableName="abc")
    assert "dynamodb:DescribeTable" in aws.sentence(caught.value)


def test_clients_share_region_retries_and_timeouts(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    config: Any = aws.session(workspace).client("ssm").meta.config
    assert (config.region_name, config.connect_timeout, config.read_timeout) == ("eu-west-1", 10, 60)
    assert (config.retries["mode"], config.retries["total_max_attempts"]) == ("standard", 7)
    assert "omero-on-aws" in config.user_agent
    assert aws.session(workspace, "us-west-2").client("ssm").meta.region_name == "us-west-2"


def test_five_attempts_unless_told(workspace: Workspace) -> None:
    config: Any = aws.session(workspace).client("ssm").meta.config
    assert config.retries["total_max_attempts"] == 5


@pytest.mark.parametrize("value", ["many", "0", "-1", "1.5"])
def test_refuses_bad_max_attempts(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", value)
    with pytest.raises(Refused, match=rf"AWS_MAX_ATTEMPTS is '{value}'; give a whole number"):
        aws.session(workspace)


@pytest.mark.parametrize("value", ["localhost:4566", "http://", "http://[::1", "http://host:port"])
def test_refuses_bad_endpoint(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", value)
    with pytest.raises(Refused, match=r"AWS_ENDPOINT_URL_S3 is .*; give a URL"):
        aws.session(workspace)


@pytest.mark.usefixtures("mocked")
def test_refuses_credentials_of_another_account(workspace: Workspace) -> None:
    other = parse(YAML.replace("123456789012", "210987654321"), "demo", "demo.yaml")
    aws.check_account(aws.session(workspace), workspace)
    with pytest.raises(Refused, match=r"account 123456789012, but workspace demo has account_id 210987654321"):
        aws.check_account(aws.session(other), other)
