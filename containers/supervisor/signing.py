"""AWS's API with Signature Version 4 (IAM User Guide, "Create a signed AWS API request"): the image has no AWS SDK."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import threading
import time
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

# As long as a task's own credentials are good for (ECS renews them long before they end).
CREDENTIAL_SECONDS = 300
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException")


class AwsError(Exception):
    """AWS said no. `code` is its own, such as `ConditionalCheckFailedException`; `said` is the answer's body."""

    def __init__(self, code: str, message: str, said: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.said = said or {}


class Aws:
    """One region's services. Safe for several threads; each has connections of its own."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._local = threading.local()
        self._credentials = Credentials()

    def call(self, service: str, action: str, arguments: Mapping[str, Any], *, seconds: float = 30) -> dict[str, Any]:
        """Ask a service that speaks JSON for `action`, such as `AmazonSSM.GetParameter`; once.

        Raises:
            AwsError: it said no.
            OSError, http.client.HTTPException: there was no answer within `seconds`: what was asked may be done.
        """
        body = json.dumps(arguments, default=_base64).encode()
        version = "1.0" if service in ("dynamodb", "sqs") else "1.1"
        headers = {"content-type": f"application/x-amz-json-{version}", "x-amz-target": action}
        status, content = self._ask(service, "POST", "/", headers, body, seconds)
        if status == 200:
            answer: dict[str, Any] = json.loads(content, object_hook=_bytes)
            return answer
        return self._raise(status, content)

    def object(self, bucket: str, key: str) -> bytes:
        """The content of an object in S3. Raises as `call` does."""
        status, content = self._ask("s3", "GET", f"/{bucket}/{quote(key)}", {}, b"", 30)
        if status == 200:
            return content
        raise self._refusal(status, content, f"{bucket}/{key}")

    def query(self, service: str, arguments: Mapping[str, str], *, seconds: float = 30) -> None:
        """Ask a service that speaks AWS's Query protocol, such as SNS: `Action`, `Version` and what it takes; once.

        Raises as `call` does.
        """
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        status, content = self._ask(service, "POST", "/", headers, urlencode(arguments).encode(), seconds)
        if status != 200:
            raise self._refusal(status, content, arguments["Action"])

    def _refusal(self, status: int, content: bytes, what: str) -> AwsError:
        """An answer in XML that is a refusal; its message tells more of `what`, where it has one."""
        text = content.decode("utf-8", "replace")
        code, said = (text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0] for tag in ("Code", "Message"))
        if code in EXPIRED:
            self._credentials.forget()
        return AwsError(code or f"HTTP {status}", f"{what}: {said}" if said else what)

    def _ask(
        self, service: str, method: str, path: str, more: Mapping[str, str], body: bytes, seconds: float
    ) -> tuple[int, bytes]:
        connections: dict[str, http.client.HTTPConnection] = self._local.__dict__.setdefault("connections", {})
        where = urlsplit(os.environ.get("AWS_ENDPOINT_URL") or self._address(service))
        connection = connections.get(service)
        if connection is None:
            kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
            connection = connections[service] = kind(str(where.hostname), where.port)
        connection.timeout = seconds
        if connection.sock:
            connection.sock.settimeout(seconds)
        try:
            connection.request(method, path, body, self._headers(service, method, path, where.netloc, more, body))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except BaseException:
            # The next call makes another one; this one may still get the answer of this.
            del connections[service]
            connection.close()
            raise

    def _address(self, service: str) -> str:
        suffix = "amazonaws.com.cn" if self._region.startswith("cn-") else "amazonaws.com"
        return f"https://{service}.{self._region}.{suffix}"

    def _raise(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            said = json.loads(content, object_hook=_bytes)
        except ValueError:
            said = {}
        code = str(said.get("__type", "")).rpartition("#")[2]
        if not code:
            code = "InternalServerError" if status >= 500 else f"HTTP {status}"
        if code in EXPIRED:
            self._credentials.forget()
        raise AwsError(code, str(said.get("message") or said.get("Message") or content[:200]), said)

    def _headers(
        self, service: str, method: str, path: str, host: str, more: Mapping[str, str], body: bytes
    ) -> dict[str, str]:
        key, secret, token = self._credentials.now()
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        digest = hashlib.sha256(body).hexdigest()
        headers = {**more, "host": host, "x-amz-content-sha256": digest, "x-amz-date": moment}
        if token:
            headers["x-amz-security-token"] = token
        signed = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        scope = f"{moment[:8]}/{self._region}/{service}/aws4_request"
        signature = _signature(secret, moment, scope, f"{method}\n{path}\n\n{lines}\n{signed}\n{digest}")
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={signed}, Signature={signature}"
        )
        return headers


def presigned(
    credentials: tuple[str, str, str], *, service: str, region: str, host: str, query: Mapping[str, str], seconds: int
) -> str:
    """A GET of `https://HOST/` that is signed in its query and good for so many seconds; without `https://`."""
    key, secret, token = credentials
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    words = {
        **query,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
        **({"X-Amz-Security-Token": token} if token else {}),
    }
    text = urlencode(sorted(words.items()), quote_via=quote)
    request = f"GET\n/\n{text}\nhost:{host}\n\nhost\n{hashlib.sha256().hexdigest()}"
    return f"{host}/?{text}&X-Amz-Signature={_signature(secret, moment, scope, request)}"


def _signature(secret: str, moment: str, scope: str, request: str) -> str:
    """Of a canonical request."""
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signing = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    return hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()


class Credentials:
    """The task role's, from ECS itself; the environment's where there is no ECS."""

    # ECS Developer Guide, "Task IAM role": the address is the same in every task.
    HOST = "http://169.254.170.2"
    # As botocore waits for it (utils.py, ContainerMetadataFetcher).
    SECONDS = 2

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read = 0.0
        self._now = ("", "", "")

    def now(self) -> tuple[str, str, str]:
        """Key, secret and token. Raises AwsError where there are none."""
        with self._lock:
            if time.monotonic() - self._read > CREDENTIAL_SECONDS or not self._now[0]:
                self._now = self._get()
                self._read = time.monotonic()
            return self._now

    def forget(self) -> None:
        """Ask for new ones the next time."""
        with self._lock:
            self._now = ("", "", "")

    def _get(self) -> tuple[str, str, str]:
        path = os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        if not path:
            named = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
            key, secret, token = (os.environ.get(name, "") for name in named)
            if not key:
                raise AwsError("NoCredentials", "this container has no task role; its task definition has to name one")
            return key, secret, token
        with urllib.request.urlopen(self.HOST + path, timeout=self.SECONDS) as answer:  # noqa: S310 - ECS's own address
            said = json.load(answer)
        return said["AccessKeyId"], said["SecretAccessKey"], said["Token"]


def _base64(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{value!r} is nothing that DynamoDB stores")


def _bytes(value: dict[str, Any]) -> dict[str, Any]:
    """DynamoDB's bytes as bytes."""
    if len(value) == 1 and isinstance(value.get("B"), str):
        return {"B": base64.b64decode(value["B"])}
    return value
