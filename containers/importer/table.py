"""The ledger's table, spoken to in DynamoDB's JSON protocol with a signature of our own: the image has no AWS SDK."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from .entries import Item

TARGET = "DynamoDB_20120810."
# As long as a task's own credentials are good for (ECS renews them long before they end).
CREDENTIAL_SECONDS = 300
# Of one call, with all its repetitions. Imports last hours: they should not be lost to minutes of throttling.
PATIENCE_SECONDS = 600
# Keys of one BatchGetItem (API reference).
BATCH = 100
PASSING = (
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionInProgressException",
)


class TableError(Exception):
    """DynamoDB said no. `code` is its own, such as `ConditionalCheckFailedException`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Table:
    """One table. Safe for several threads; each has a connection of its own."""

    def __init__(self, name: str, region: str, endpoint: str = "") -> None:
        self.name = name
        self._region = region
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._endpoint = urlsplit(endpoint or f"https://dynamodb.{region}.{suffix}")
        self._local = threading.local()
        self._credentials = _Credentials()

    def get(self, key: str) -> Item | None:
        """An item as it is now."""
        found: Item | None = self._call("GetItem", {"Key": {"id": {"S": key}}, "ConsistentRead": True}).get("Item")
        return found

    def get_all(self, keys: Iterable[str]) -> Iterator[Item]:
        """Those items that there are, in any order."""
        left = list(dict.fromkeys(keys))
        while left:
            some, left = left[:BATCH], left[BATCH:]
            asked = {"Keys": [{"id": {"S": key}} for key in some], "ConsistentRead": True}
            answer = self._call("BatchGetItem", {"RequestItems": {self.name: asked}}, own=False)
            yield from answer["Responses"].get(self.name, ())
            unread = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", ())
            if unread and len(unread) == len(some):
                time.sleep(random.uniform(0.05, 0.5))  # noqa: S311
            left = [key["id"]["S"] for key in unread] + left

    def put_new(self, item: Item) -> bool:
        """Put an item where there is none; False if there is one."""
        return self._changed("PutItem", {"Item": item, "ConditionExpression": "attribute_not_exists(id)"})

    def update(self, arguments: dict[str, Any]) -> bool:
        """UpdateItem by `entries.update`; False if its condition is not met."""
        return self._changed("UpdateItem", arguments)

    def _changed(self, action: str, arguments: dict[str, Any]) -> bool:
        try:
            self._call(action, arguments)
        except TableError as error:
            if error.code == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def _call(self, action: str, arguments: dict[str, Any], *, own: bool = True) -> dict[str, Any]:
        """Ask until DynamoDB answers; what does not pass by itself is raised."""
        body = json.dumps({"TableName": self.name, **arguments} if own else arguments, default=_base64).encode()
        end = time.monotonic() + PATIENCE_SECONDS
        pause = 0.1
        while True:
            try:
                return self._ask(action, body)
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() > end:
                    raise TableError("Unreachable", f"{action}: {error}") from error
            except TableError as error:
                if error.code not in PASSING or time.monotonic() > end:
                    raise
            time.sleep(random.uniform(0, pause))  # noqa: S311 - full jitter, no secret
            pause = min(pause * 2, 20)

    def _ask(self, action: str, body: bytes) -> dict[str, Any]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            kind = http.client.HTTPSConnection if self._endpoint.scheme == "https" else http.client.HTTPConnection
            connection = self._local.connection = kind(str(self._endpoint.hostname), self._endpoint.port, timeout=30)
        try:
            connection.request("POST", "/", body, self._headers(action, body))
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            # The next call makes another one; this one may still get the answer of this.
            self._local.connection = None
            connection.close()
            raise
        if answer.status == 200:
            read: dict[str, Any] = json.loads(content, object_hook=_bytes)
            return read
        return self._raise(answer.status, content)

    def _raise(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            said = json.loads(content)
        except ValueError:
            said = {}
        code = str(said.get("__type", "")).rpartition("#")[2]
        if status >= 500 and not code:
            code = "InternalServerError"
        if code in ("ExpiredTokenException", "UnrecognizedClientException"):
            self._credentials.forget()
            code = "ThrottlingException" if self._credentials.renewable else code
        raise TableError(code or f"HTTP {status}", str(said.get("message") or said.get("Message") or content[:200]))

    def _headers(self, action: str, body: bytes) -> dict[str, str]:
        """Signature Version 4 (IAM User Guide, "Create a signed AWS API request")."""
        key, secret, token = self._credentials.now()
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "host": self._endpoint.netloc,
            "x-amz-date": moment,
            "x-amz-target": TARGET + action,
        }
        if token:
            headers["x-amz-security-token"] = token
        signed = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        request = f"POST\n/\n\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{self._region}/dynamodb/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signing = ("AWS4" + secret).encode()
        for part in scope.split("/"):
            signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={signed}, Signature={signature}"
        )
        return headers


class _Credentials:
    """The task role's, from ECS itself; the environment's where there is no ECS."""

    # ECS Developer Guide, "Task IAM role": the address is the same in every task.
    HOST = "http://169.254.170.2"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read = 0.0
        self._now = ("", "", "")
        self.renewable = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" in os.environ

    def now(self) -> tuple[str, str, str]:
        with self._lock:
            if time.monotonic() - self._read > CREDENTIAL_SECONDS or not self._now[0]:
                self._now = self._get()
                self._read = time.monotonic()
            return self._now

    def forget(self) -> None:
        with self._lock:
            self._now = ("", "", "")

    def _get(self) -> tuple[str, str, str]:
        path = os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        if not path:
            named = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
            key, secret, token = (os.environ.get(name, "") for name in named)
            if not key:
                raise TableError(
                    "NoCredentials", "this container has no task role; its task definition has to name one"
                )
            return key, secret, token
        with urllib.request.urlopen(self.HOST + path, timeout=10) as answer:  # noqa: S310 - ECS's own address
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
