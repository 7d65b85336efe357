"""Sessions of OMERO.web in a cache that may be away: the answer is 503 then, and the browser keeps its cookie.

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

RETRY_AFTER_SECONDS = 5
SAID = (
    "OMERO.web cannot reach its sessions at the moment. You are still logged in; reload this page in a few seconds.\n"
)

_away: ContextVar[bool] = ContextVar("away", default=False)
"""Whether the cache has failed for the request that is answered."""


class _Client(redis.Redis):  # type: ignore[misc] # not installed here
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
    """Django's cache in Redis, which remembers that it has failed."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
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
