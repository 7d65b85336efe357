"""The fleet: the wanted settings, and its states."""

from __future__ import annotations

from collections.abc import Collection

from scripts.aws.waiting import wait_for
from scripts.errors import Failed, Refused
from scripts.ingest.appstream.application import PLATFORM
from scripts.ingest.appstream.context import AppStreamContext, Json
from scripts.ingest.appstream.network import subnet_ids

# UpdateFleet's documentation: what may change while it runs.
_WHILE_RUNNING: dict[bool, Collection[str]] = {
    True: ("DisplayName", "IdleDisconnectTimeoutInSeconds", "DisconnectTimeoutInSeconds", "MaxConcurrentSessions"),
    False: (
        "DisplayName",
        "IdleDisconnectTimeoutInSeconds",
        "DisconnectTimeoutInSeconds",
        "ComputeCapacity",
        "ImageName",
    ),
}
START_SECONDS = 3600
STOP_SECONDS = 1800
# How often a fleet may still look STOPPED after it was started, before that is taken for the end.
_LOOKS_BEFORE_STARTING = 12
AUTHENTICATIONS = ("API", "USERPOOL", "SAML")


def find(context: AppStreamContext) -> Json | None:
    """The fleet. Raises Refused if it is not this workspace's."""
    return context.find(f"fleet {context.name}", context.client.describe_fleets, "Fleets", Names=[context.name])


def desired(context: AppStreamContext, group_id: str) -> Json:
    """The wanted fleet, as CreateFleet takes it."""
    settings = context.settings.fleet
    asked: Json = {
        "FleetType": settings.type,
        "InstanceType": settings.instance_type,
        "DisplayName": "OMERO.insight",
        "VpcConfig": {"SubnetIds": subnet_ids(context), "SecurityGroupIds": [group_id]},
        "MaxUserDurationInSeconds": settings.session_minutes * 60,
        "DisconnectTimeoutInSeconds": settings.disconnect_minutes * 60,
        "IdleDisconnectTimeoutInSeconds": settings.idle_minutes * 60,
        "EnableDefaultInternetAccess": False,
        "StreamView": "APP",
        "DisableIMDSV1": True,
    }
    if settings.type == "ELASTIC":
        return asked | {"Platform": PLATFORM, "MaxConcurrentSessions": settings.sessions}
    return asked | {"ImageName": settings.image, "ComputeCapacity": {"DesiredInstances": settings.sessions}}


def _as_asked(found: Json) -> Json:
    """A fleet that AWS describes, in the words of a request."""
    vpc = found.get("VpcConfig", {})
    return {
        "IdleDisconnectTimeoutInSeconds": 0,
        "EnableDefaultInternetAccess": False,
        "DisableIMDSV1": False,
        **found,
        "ComputeCapacity": {"DesiredInstances": found["ComputeCapacityStatus"]["Desired"]},
        "VpcConfig": {
            "SubnetIds": sorted(vpc.get("SubnetIds", [])),
            "SecurityGroupIds": sorted(vpc.get("SecurityGroupIds", [])),
        },
    }


def _differences(context: AppStreamContext, found: Json, group_id: str) -> Json:
    asked = desired(context, group_id)
    comparable = {**asked, "VpcConfig": {key: sorted(value) for key, value in asked["VpcConfig"].items()}}
    return {key: asked[key] for key in context.differences(_as_asked(found), comparable)}


def check(context: AppStreamContext, group_id: str | None, *, restart: bool) -> None:
    """Check that the fleet can be changed to the wanted settings, before anything is changed.

    Raises:
        Refused: its type would change; its image is not there; or it would have to be stopped, without `restart`.
    """
    settings = context.settings.fleet
    if settings.type != "ELASTIC":
        _check_image(context, str(settings.image))
    found = find(context)
    if found is None:
        return
    if found["FleetType"] != settings.type:
        raise Refused(
            f"the fleet {context.name} is {found['FleetType']}, and appstream.fleet.type is {settings.type}, but "
            "AWS cannot change a fleet's type; run `appstream teardown` first (home folders stay), or set the "
            "type back."
        )
    if found["State"] == "STOPPED" or restart or group_id is None:
        return
    if needing := _needing_a_stop(context, found, group_id):
        raise Refused(
            f"the fleet {context.name} is {found['State']}, and {', '.join(needing)} can only be changed while it is "
            f"STOPPED, which ends its {len(sessions(context))} sessions; give --restart if that is fine."
        )


def _needing_a_stop(context: AppStreamContext, found: Json, group_id: str) -> list[str]:
    free = _WHILE_RUNNING[found["FleetType"] == "ELASTIC"]
    return sorted(set(_differences(context, found, group_id)) - set(free))


def _check_image(context: AppStreamContext, name: str) -> None:
    found = [each for each in context.rows("describe_images", "Images") if each["Name"] == name]
    if not found:
        raise Refused(
            f"the image {name} of appstream.fleet.image is not in {context.region}; create it with `appstream image "
            "--builder` or `--from-ami`, or correct its name."
        )
    if found[0]["State"] != "AVAILABLE":
        raise Refused(
            f"the image {name} is {found[0]['State']}; run the same `appstream image` command again, which waits for "
            "it."
        )


def ensure(context: AppStreamContext, group_id: str, *, restart: bool = False) -> None:
    """Have the fleet as the section says; started, if it was before."""
    found = find(context)
    if found is None:
        asked = {"Name": context.name, **desired(context, group_id), "Tags": context.tags}
        what = f"{context.settings.fleet.type}, {context.settings.fleet.instance_type}"
        context.changes.do(
            f"fleet {context.name}: created ({what})", lambda: context.retry(context.client.create_fleet, **asked)
        )
        return
    changed = _differences(context, found, group_id)
    if not changed:
        return
    if found["State"] in ("STARTING", "STOPPING") and not context.dry_run:
        found["State"] = wait_for(f"fleet {context.name}", lambda: _state(context), until=("RUNNING", "STOPPED"))
    must_stop = found["State"] != "STOPPED" and bool(_needing_a_stop(context, found, group_id))
    if must_stop:
        check(context, group_id, restart=restart)
        stop(context, end_sessions=True)
    context.changes.do(
        f"fleet {context.name}: {', '.join(changed)} set",
        lambda: context.retry(context.client.update_fleet, Name=context.name, **changed),
    )
    if must_stop:
        start(context)


def _state(context: AppStreamContext) -> str:
    found = find(context)
    return found["State"] if found else "GONE"


def start(context: AppStreamContext) -> None:
    """Have it RUNNING.

    Raises:
        Refused: there is no fleet.
        Failed: it did not start, with AppStream's own reasons.
    """
    found = _existing(context)
    if found and found["State"] == "RUNNING":
        return
    if found and found["State"] == "STARTING" and not context.dry_run:
        wait_running(context)
        return
    if found and found["State"] == "STOPPING" and not context.dry_run:
        wait_for(f"fleet {context.name}", lambda: _state(context), until=("STOPPED",), seconds=STOP_SECONDS)

    def starting() -> None:
        context.retry(context.client.start_fleet, Name=context.name)
        wait_running(context)

    context.changes.do(f"fleet {context.name}: started{_cost(context)}", starting)


def _cost(context: AppStreamContext) -> str:
    settings = context.settings.fleet
    if settings.type == "ELASTIC":
        return ", which costs only while somebody uses it"
    return f", which costs for {settings.sessions} instances of {settings.instance_type} until it is stopped"


def wait_running(context: AppStreamContext) -> None:
    """Wait until it is RUNNING. Raises Failed with AppStream's reasons if it stops instead."""
    looks, was_starting = [0], [False]

    def state() -> str:
        found, looks[0] = find(context) or {"State": "GONE"}, looks[0] + 1
        was_starting[0] = was_starting[0] or found["State"] == "STARTING"
        over = was_starting[0] or looks[0] > _LOOKS_BEFORE_STARTING
        if found["State"] in ("STOPPED", "GONE") and over:
            raise Failed(f"the fleet {context.name} did not start: {reasons(found)}; fix that and run this again.")
        return str(found["State"])

    wait_for(f"fleet {context.name}", state, until=("RUNNING",), seconds=START_SECONDS)


def reasons(found: Json) -> str:
    """What AppStream says is wrong with a fleet."""
    errors = [f"{each['ErrorCode']}: {each['ErrorMessage'].rstrip('.')}" for each in found.get("FleetErrors", [])]
    return "; ".join(errors) or "AppStream gives no reason"


def stop(context: AppStreamContext, *, end_sessions: bool = False) -> None:
    """Have it STOPPED.

    Raises:
        Refused: there is no fleet, or people use it and `end_sessions` is not said.
    """
    found = _existing(context)
    if found is None or found["State"] == "STOPPED":
        return
    check_sessions(context, end_sessions=end_sessions)

    def stopping() -> None:
        if found["State"] != "STOPPING":
            context.retry(context.client.stop_fleet, Name=context.name)
        wait_for(f"fleet {context.name}", lambda: _state(context), until=("STOPPED", "GONE"), seconds=STOP_SECONDS)

    context.changes.do(f"fleet {context.name}: stopped", stopping)


def check_sessions(context: AppStreamContext, *, end_sessions: bool) -> None:
    """Raises Refused if people use the fleet, and `end_sessions` is not said."""
    users = [each["UserId"] for each in sessions(context)]
    if users and not end_sessions:
        raise Refused(
            f"{len(users)} sessions are open ({', '.join(users[:5])}{' and others' if len(users) > 5 else ''}), and "
            "their imports would be cut off; wait for them, or give --end-sessions."
        )


def scale(context: AppStreamContext, number: int) -> None:
    """Have room for so many sessions at a time.

    Raises:
        Refused: there is no fleet.
    """
    found = _existing(context)
    if found is None:
        return
    elastic = found["FleetType"] == "ELASTIC"
    present = found["MaxConcurrentSessions"] if elastic else found["ComputeCapacityStatus"]["Desired"]
    if present == number:
        return
    change: Json = {"MaxConcurrentSessions": number} if elastic else {"ComputeCapacity": {"DesiredInstances": number}}
    context.changes.do(
        f"fleet {context.name}: maximum sessions changed from {present} to {number}",
        lambda: context.retry(context.client.update_fleet, Name=context.name, **change),
    )


def _existing(context: AppStreamContext) -> Json | None:
    """The fleet; None if a dry run would have made it."""
    found = find(context)
    planned = context.dry_run and any(
        each.startswith(f"fleet {context.name}: created") for each in context.changes.sentences
    )
    if found is None and not planned:
        raise Refused(f"workspace {context.workspace} has no fleet {context.name}; run `appstream ensure` first.")
    return found


def sessions(context: AppStreamContext) -> list[Json]:
    """The sessions that are open."""
    if find(context) is None or not _has_stack(context):
        return []
    names = {"StackName": context.name, "FleetName": context.name}
    rows = [
        row
        for kind in AUTHENTICATIONS
        for row in context.rows("describe_sessions", "Sessions", **names, AuthenticationType=kind)
    ]
    return [row for row in rows if row["State"] != "EXPIRED"]


def _has_stack(context: AppStreamContext) -> bool:
    return any(each["Name"] == context.name for each in context.rows("describe_stacks", "Stacks"))


def remove(context: AppStreamContext) -> None:
    """Stop and delete it."""
    if find(context) is None:
        return
    stop(context, end_sessions=True)
    context.changes.do(
        f"fleet {context.name}: deleted",
        lambda: context.retry(context.client.delete_fleet, "ResourceInUseException", Name=context.name),
    )
