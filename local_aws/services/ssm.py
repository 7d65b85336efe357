"""SSM: the end of a session of ECS Exec, and its resumption. moto 5.2.5 has nothing of Session Manager."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ssm.responses import SimpleSystemManagerResponse as Response

from local_aws.services.ecs import data_channels


class _DoesNotExist(ServiceException):  # type: ignore[misc]
    code = "DoesNotExistException"


def terminate_session(self: Any) -> ActionResult:
    """A session that has ended is no error."""
    name = self._get_param("SessionId")
    if session := data_channels.find(name):
        session.close()
    return ActionResult({"SessionId": name})


def resume_session(self: Any) -> ActionResult:
    name = self._get_param("SessionId")
    session = data_channels.find(name)
    if session is None or session.closed:
        raise _DoesNotExist(f"Session {name} does not exist or has ended.")
    token, url = data_channels.resume(session)
    return ActionResult({"SessionId": name, "TokenValue": token, "StreamUrl": url})


def install() -> None:
    """Put the actions into moto's SSM."""
    Response.terminate_session = terminate_session
    Response.resume_session = resume_session
