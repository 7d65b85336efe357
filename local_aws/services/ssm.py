"""SSM: the end of a session of ECS Exec, and its resumption. moto 5.2.5 has nothing of Session Manager."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.ssm.responses import SimpleSystemManagerResponse as Response

from local_aws import actions
from local_aws.services.ecs import data_channels

Json = dict[str, Any]


class _DoesNotExist(ServiceException):  # type: ignore[misc]
    code = "DoesNotExistException"


def terminate_session(backend: Any, asked: Json) -> Json:
    """A session that has ended is no error."""
    if session := data_channels.find(asked["SessionId"]):
        session.close()
    return {"SessionId": asked["SessionId"]}


def resume_session(backend: Any, asked: Json) -> Json:
    name = asked["SessionId"]
    session = data_channels.find(name)
    if session is None or session.closed:
        raise _DoesNotExist(f"Session {name} does not exist or has ended.")
    token, url = data_channels.resume(session)
    return {"SessionId": name, "TokenValue": token, "StreamUrl": url}


def install() -> None:
    """Put the actions into moto's SSM."""
    table: dict[str, actions.Action] = {"TerminateSession": terminate_session, "ResumeSession": resume_session}
    actions.add(Response, "ssm_backend", table)
