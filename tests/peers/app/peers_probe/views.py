"""The views."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

# A test makes this file, and transfers that are under way end.
RELEASE = Path("/tmp/release")  # noqa: S108 - in the container
CHUNK = b"x" * 1024


def session(request: HttpRequest) -> HttpResponse:
    """Count in the session, as a log-in keeps its connector there."""
    request.session["count"] = request.session.get("count", 0) + 1
    return JsonResponse({"count": request.session["count"]})


def download(_: HttpRequest) -> StreamingHttpResponse:
    """A download of 2 KiB, as OMERO.web streams files, that stops half-way until it is released."""

    def chunks() -> Iterator[bytes]:
        yield CHUNK
        while not RELEASE.exists():
            time.sleep(0.05)
        yield CHUNK

    return StreamingHttpResponse(chunks(), headers={"Content-Length": str(2 * len(CHUNK))})


@csrf_exempt  # type: ignore[untyped-decorator] # Django is not installed here
def upload(request: HttpRequest) -> HttpResponse:
    """How many bytes came."""
    return JsonResponse({"bytes": len(request.body)})


def fault(_: HttpRequest) -> HttpResponse:
    """An error of an app's."""
    raise LookupError("what nobody has thought of")
