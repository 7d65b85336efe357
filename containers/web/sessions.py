"""Sessions of OMERO.web in a cache that lets in by IAM, and may be away: the answer is 503 then, the cookie is kept.

Django takes a session that it cannot read for none, and has the browser delete its cookie
(django/contrib/sessions/backends/cache.py, `load`): whoever clicks while the cache fails over is logged out for good.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import redis
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.http import HttpResponse

from containers.supervisor import signing

RETRY_AFTER_SECONDS = 5
SAID = (
    "OMERO.web cannot reach its sessions at the moment. You are still logged in; reload this page in a few seconds.\n"
)

_ROLE = signing.Credentials()
"""The task's. One for all threads: each has a cache of its own, and would ask ECS by itself."""

_away: ContextVar[bool] = ContextVar("away", default=False)
"""Whether the cache has failed for the request that is answered."""


class Signed(redis.CredentialProvider):  # type: ignore[misc] # not installed here
    """The password of ElastiCache's user: a request that the task's role signs, new for each connection.

    ElastiCache takes it for 15 minutes, and closes a connection after 12 hours (its guide, "Authenticating with IAM").
    """

    SECONDS = 900

    def __init__(self, *, cache: str, user: str, region: str) -> None:
        self._cache, self._user, self._region = cache, user, region

    def get_credentials(self) -> tuple[str, str]:
        """User and password. Raises redis.ConnectionError where ECS says nothing of the role."""
        try:
            now = _ROLE.now()
        except (OSError, ValueError, KeyError, signing.AwsError) as error:
            raise redis.ConnectionError(f"no credentials of the task's role: {error}") from error
        password = signing.presigned(
            now,
            service="elasticache",
            region=self._region,
            host=self._cache,
            query={"Action": "connect", "User": self._user},
            seconds=self.SECONDS,
        )
        return self._user, password


class _Client(redis.Redis):  # type: ignore[misc]
    """Fails at once for the rest of a request for which it has failed: so its time-outs do not add up."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """As redis-py's."""
        if _away.get():
            raise redis.ConnectionError("the cache has just failed for this request")
        try:
            return super().execute_command(*args, **options)
        except (redis.ConnectionError, redis.TimeoutError):
            _away.set(True)
            raise


class _CacheClient(RedisCacheClient):  # type: ignore[misc]
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._client = _Client


class Cache(RedisCache):  # type: ignore[misc]
    """Django's cache in Redis, which remembers that it has failed. Its option `signed` is what `Signed` wants."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        options = dict(params["OPTIONS"])
        options["credential_provider"] = Signed(**options.pop("signed"))
        super().__init__(server, {**params, "OPTIONS": options})
        self._class = _CacheClient


def away_is_503(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Middleware around Django's own for sessions."""

    def answer(request: Any) -> Any:
        _away.set(False)
        response = get_response(request)
        if not _away.get():
            return response
        response.close()
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return HttpResponse(SAID, status=503, content_type="text/plain; charset=utf-8", headers=headers)

    return answer
