"""OMERO.web's log and gunicorn's as lines of JSON on the container's output, one line an event, a traceback included.

CloudWatch makes an event of every line, and Logs Insights finds the fields of JSON by itself.
"""

from __future__ import annotations

import json
import logging
import logging.config
import time
from collections.abc import Iterable
from typing import Any

from gunicorn.glogging import Logger


class JsonLines(logging.Formatter):
    """`time` in UTC, `level`, `logger`, `message`, and `traceback` where there is one."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(settings: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: OMERO.web's own LOGGING, with the output in place of its file, which ends with the task.

    What OMERO.web would write for a failed request twice, once with the whole URL, is written once, without the query:
    that may hold a password or the key of a session (omeroweb/decorators.py).
    """
    files = {name for name, handler in settings["handlers"].items() if "filename" in handler}
    stream = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}
    settings["formatters"]["json"] = {"()": JsonLines}
    for name in files:
        settings["handlers"][name] = dict(stream)
    for logger in settings["loggers"].values():
        logger["handlers"] = list(_one_of(files, logger["handlers"]))
    logging.config.dictConfig(settings)


def _one_of(files: set[str], handlers: Iterable[str]) -> Iterable[str]:
    written = False
    for name in handlers:
        if name not in files or not written:
            yield name
        written = written or name in files


class Accesses(Logger):  # type: ignore[misc] # gunicorn has no types
    """Gunicorn's logger: accesses and its own messages as JSON. Paths are without their query, as in `configure`."""

    def setup(self, cfg: Any) -> None:
        """As gunicorn's, with our format."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonLines())
        for handler in self.access_log.handlers:
            handler.setFormatter(logging.Formatter("%(message)s"))

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        """One line a request, once it is answered. The balancer adds the client to the end of X-Forwarded-For."""
        client = environ.get("HTTP_X_FORWARDED_FOR", environ.get("REMOTE_ADDR", "")).rpartition(",")[2].strip()
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
            "logger": "access",
            "client": client,
            "method": environ.get("REQUEST_METHOD"),
            "path": environ.get("PATH_INFO"),
            "status": int(str(resp.status).split(None, 1)[0]),
            "bytes": getattr(resp, "sent", None),
            "seconds": round(request_time.total_seconds(), 3),
            "agent": environ.get("HTTP_USER_AGENT"),
        }
        self.access_log.info(json.dumps(line))
