"""The fleet: what it shall be like, and its states."""

from __future__ import annotations

from collections.abc import Collection

from scripts.aws.waiting import wait_for
from scripts.errors import Failed, Refused
from scripts.ingest.appstream.application import PLATFORM
from scripts.ingest.appstream.context import Json, Place
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


def find(place: Place) -> Json | None:
    """The fleet. Raises Refused if it is not this workspace's."""
    return place.find(f"fleet {place.name}", place.client.describe_fleets, "Fleets", Names=[place.name])


def wanted(place: Place, group_id: str) -> Json:
    """What it shall be like, as CreateFleet takes it."""
    settings = place.settings.fleet
    asked: Json = {
        "FleetType": settings.type,
        "InstanceType": settings.instance_type,
        "DisplayName": "OMERO.insight",
        "VpcConfig": {"SubnetIds": subnet_ids(place), "SecurityGroupIds": [group_id]},
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


def _differences(place: Place, found: Json, group_id: str) -> Json:
    asked = wanted(place, group_id)
    comparable = {**asked, "VpcConfig": {key: sorted(value) for key, value in asked["VpcConfig"].items()}}
    return {key: asked[key] for key in place.differences(_as_asked(found), comparable)}


def check(place: Place, group_id: str | None, *, restart: bool) -> None:
    """Look whether the fleet can become what it shall be, before anything is changed.

    Raises:
        Refused: its type would change; its image is not there; or it would have to be stopped, without `restart`.
    """
    settings = place.settings.fleet
    if settings.type != "ELASTIC":
        _check_image(place, str(settings.image))
    found = find(place)
    if found is None:
        return
    if found["FleetType"] != settings.type:
        raise Refused(
            f"the fleet {place.name} is {found['FleetType']}, and appstream.fleet.type is {settings.type}, which AWS "
            "does not change; run `appstream teardown` first (home folders stay), or set the type back."
        )
    if found["State"] == "STOPPED" or restart or group_id is None:
        return
    if needing := _needing_a_stop(place, found, group_id):
        raise Refused(
            f"the fleet {place.name} is {found['State']}, and {', '.join(needing)} can only be changed while it is "
            f"STOPPED, which ends its {len(sessions(place))} sessions; say --restart when that is fine."
        )


def _needing_a_stop(place: Place, found: Json, group_id: str) -> list[str]:
    free = _WHILE_RUNNING[found["FleetType"] == "ELASTIC"]
    return sorted(set(_differences(place, found, group_id)) - set(free))


def _check_image(place: Place, name: str) -> None:
    found = [each for each in place.pages(place.client.describe_images, "Images") if each["Name"] == name]
    if not found:
        raise Refused(
            f"the image {name} of appstream.fleet.image is not in {place.region}; make it with `appstream image "
            "--builder` or `--from-ami`, or correct its name."
        )
    if found[0]["State"] != "AVAILABLE":
        raise Refused(
            f"the image {name} is {found[0]['State']}; run the same `appstream image` again, which waits for it."
        )


def ensure(place: Place, group_id: str, *, restart: bool = False) -> None:
    """Have the fleet as the section says; started, if it was before."""
    found = find(place)
    if found is None:
        asked = {"Name": place.name, **wanted(place, group_id), "Tags": place.tags}
        what = f"{place.settings.fleet.type}, {place.settings.fleet.instance_type}"
        place.changes.do(
            f"fleet {place.name}: created ({what})", lambda: place.insist(place.client.create_fleet, **asked)
        )
        return
    changed = _differences(place, found, group_id)
    if not changed:
        return
    if found["State"] in ("STARTING", "STOPPING") and not place.dry_run:
        found["State"] = wait_for(f"fleet {place.name}", lambda: _state(place), until=("RUNNING", "STOPPED"))
    must_stop = found["State"] != "STOPPED" and bool(_needing_a_stop(place, found, group_id))
    if must_stop:
        check(place, group_id, restart=restart)
        stop(place, end_sessions=True)
    place.changes.do(
        f"fleet {place.name}: {', '.join(changed)} set",
        lambda: place.insist(place.client.update_fleet, Name=place.name, **changed),
    )
    if must_stop:
        start(place)


def _state(place: Place) -> str:
    found = find(place)
    return found["State"] if found else "GONE"


def start(place: Place) -> None:
    """Have it RUNNING.

    Raises:
        Refused: there is no fleet.
        Failed: it did not start, with AppStream's own reasons.
    """
    found = _there(place)
    if found and found["State"] == "RUNNING":
        return
    if found and found["State"] == "STARTING" and not place.dry_run:
        wait_running(place)
        return
    if found and found["State"] == "STOPPING" and not place.dry_run:
        wait_for(f"fleet {place.name}", lambda: _state(place), until=("STOPPED",), seconds=STOP_SECONDS)

    def starting() -> None:
        place.insist(place.client.start_fleet, Name=place.name)
        wait_running(place)

    place.changes.do(f"fleet {place.name}: started{_cost(place)}", starting)


def _cost(place: Place) -> str:
    settings = place.settings.fleet
    if settings.type == "ELASTIC":
        return ", which costs only while somebody uses it"
    return f", which costs for {settings.sessions} instances of {settings.instance_type} until it is stopped"


def wait_running(place: Place) -> None:
    """Wait until it is RUNNING. Raises Failed with AppStream's reasons if it stops instead."""
    looks, was_starting = [0], [False]

    def look() -> str:
        found, looks[0] = find(place) or {"State": "GONE"}, looks[0] + 1
        was_starting[0] = was_starting[0] or found["State"] == "STARTING"
        over = was_starting[0] or looks[0] > _LOOKS_BEFORE_STARTING
        if found["State"] in ("STOPPED", "GONE") and over:
            raise Failed(f"the fleet {place.name} did not start: {reasons(found)}; mend that and run this again.")
        return str(found["State"])

    wait_for(f"fleet {place.name}", look, until=("RUNNING",), seconds=START_SECONDS)


def reasons(found: Json) -> str:
    """What AppStream says is wrong with a fleet."""
    errors = [f"{each['ErrorCode']}: {each['ErrorMessage'].rstrip('.')}" for each in found.get("FleetErrors", [])]
    return "; ".join(errors) or "AppStream gives no reason"


def stop(place: Place, *, end_sessions: bool = False) -> None:
    """Have it STOPPED.

    Raises:
        Refused: there is no fleet, or people use it and `end_sessions` is not said.
    """
    found = _there(place)
    if found is None or found["State"] == "STOPPED":
        return
    check_sessions(place, end_sessions=end_sessions)

    def stopping() -> None:
        if found["State"] != "STOPPING":
            place.insist(place.client.stop_fleet, Name=place.name)
        wait_for(f"fleet {place.name}", lambda: _state(place), until=("STOPPED", "GONE"), seconds=STOP_SECONDS)

    place.changes.do(f"fleet {place.name}: stopped", stopping)


def check_sessions(place: Place, *, end_sessions: bool) -> None:
    """Raises Refused if people use the fleet, and `end_sessions` is not said."""
    users = [each["UserId"] for each in sessions(place)]
    if users and not end_sessions:
        raise Refused(
            f"{len(users)} sessions are open ({', '.join(users[:5])}{' and others' if len(users) > 5 else ''}), and "
            "what they import would break off; wait for them, or say --end-sessions."
        )


def scale(place: Place, number: int) -> None:
    """Have room for so many sessions at a time.

    Raises:
        Refused: there is no fleet.
    """
    found = _there(place)
    if found is None:
        return
    elastic = found["FleetType"] == "ELASTIC"
    present = found["MaxConcurrentSessions"] if elastic else found["ComputeCapacityStatus"]["Desired"]
    if present == number:
        return
    change: Json = {"MaxConcurrentSessions": number} if elastic else {"ComputeCapacity": {"DesiredInstances": number}}
    place.changes.do(
        f"fleet {place.name}: {number} sessions instead of {present}",
        lambda: place.insist(place.client.update_fleet, Name=place.name, **change),
    )


def _there(place: Place) -> Json | None:
    """The fleet; None if a dry run would have made it."""
    found = find(place)
    planned = place.dry_run and any(each.startswith(f"fleet {place.name}: created") for each in place.changes.sentences)
    if found is None and not planned:
        raise Refused(f"workspace {place.workspace} has no fleet {place.name}; make it with `appstream ensure`.")
    return found


def sessions(place: Place) -> list[Json]:
    """The sessions that are open."""
    if find(place) is None or not _has_stack(place):
        return []
    names = {"StackName": place.name, "FleetName": place.name}
    call = place.client.describe_sessions
    rows = [row for kind in AUTHENTICATIONS for row in place.pages(call, "Sessions", **names, AuthenticationType=kind)]
    return [row for row in rows if row["State"] != "EXPIRED"]


def _has_stack(place: Place) -> bool:
    return any(each["Name"] == place.name for each in place.pages(place.client.describe_stacks, "Stacks"))


def remove(place: Place) -> None:
    """Stop and delete it."""
    if find(place) is None:
        return
    stop(place, end_sessions=True)
    place.changes.do(
        f"fleet {place.name}: deleted",
        lambda: place.insist(place.client.delete_fleet, "ResourceInUseException", Name=place.name),
    )
