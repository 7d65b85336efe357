"""All of it: made, shown, taken away."""

from __future__ import annotations

import hashlib
from typing import Any

from botocore.exceptions import ClientError

from scripts import aws, console
from scripts.ingest.appstream import application, builder, files, fleet, images, network, stack, users
from scripts.ingest.appstream.context import Json, Place
from scripts.ingest.appstream.users import Person

HOME_BUCKET = "appstream2-36fb080bb8-{region}-{account}"  # AWS's own name, the same in every account
HOURS_OF_A_MONTH = 730


def ensure(place: Place, *, restart: bool = False, start: bool = True, send_email: bool = True) -> None:
    """Have all that the section `appstream` says, and the fleet RUNNING unless `start` is false.

    What was begun and killed goes on; what is as it shall be stays untouched. Nobody is removed from the user pool.

    Raises:
        Refused: it cannot work, or cannot be done without ending sessions; nothing was changed.
        Failed: AppStream could not do it, with its own reasons.
    """
    look(place, restart=restart)
    is_elastic = place.settings.fleet.type == "ELASTIC"
    packed = application.ensure(place) if is_elastic else None  # first, for it looks into archives
    network.ensure_service_role(place)
    group_id = network.ensure_group(place)
    fleet.ensure(place, group_id, restart=restart)
    if packed:
        application.associate(place)
    stack.ensure(place)
    stack.associate(place)
    if start:
        fleet.start(place)
    if packed:
        application.remove_old(place, packed)
    if place.settings.users:
        users.add(place, [Person(email) for email in place.settings.users], send_email=send_email)
    place.changes.say_if_none(f"AppStream of workspace {place.workspace} is as it shall be")


def look(place: Place, *, restart: bool = False) -> None:
    """Look at everything that could be refused, before anything is changed. Raises Refused."""
    network.check(place)
    group = network.find_group(place)
    place.opened.parameter("omero/server_security_group_id")
    files.preset_of(place)
    fleet.check(place, group["GroupId"] if group else None, restart=restart)
    stack.find(place)
    if place.settings.fleet.type == "ELASTIC":
        application.find(place)


def status(place: Place) -> Json:
    """All there is, with states, as data for JSON. Money in US dollars; None where no price is given."""
    found, there = fleet.find(place), stack.find(place)
    group = network.find_group(place)
    server_group = place.opened.parameters.get("omero/server_security_group_id", "")
    way = bool(group and server_group and network.way_in(place.opened.client("ec2"), server_group, group["GroupId"]))
    open_sessions = fleet.sessions(place)
    people = users.members(place)
    return {
        "workspace": place.workspace,
        "region": place.region,
        "fleet": _fleet(found),
        "applications": [arn.rpartition("/")[2] for arn in application.associated(place)],
        "app_blocks": application.blocks(place),
        "stack": _stack(place, there),
        "users": people,
        "sessions": [
            {"user": each["UserId"], "state": each["State"], "since": _time(each.get("StartTime"))}
            for each in open_sessions
        ],
        "images": _images(place),
        "image_builder": _builder(builder.find(place)),
        "security_group": group["GroupId"] if group else None,
        "reaches_omero": way,
        "home_folders_bucket": _home_bucket(place),
        "cost": _cost(place, found, len(open_sessions)),
    }


def _fleet(found: Json | None) -> Json | None:
    if found is None:
        return None
    capacity = found["ComputeCapacityStatus"]
    return {
        "name": found["Name"],
        "type": found["FleetType"],
        "state": found["State"],
        "instance_type": found["InstanceType"],
        "image": found.get("ImageName"),
        "most_sessions": found.get("MaxConcurrentSessions") or capacity["Desired"],
        "running": capacity.get("Running", 0),
        "in_use": capacity.get("InUse", 0),
        "errors": [f"{each['ErrorCode']}: {each['ErrorMessage']}" for each in found.get("FleetErrors", [])],
    }


def _stack(place: Place, found: Json | None) -> Json | None:
    if found is None:
        return None
    return {
        "name": found["Name"],
        "fleets": stack.fleets(place),
        "home_folders": any(each["ConnectorType"] == "HOMEFOLDERS" for each in found.get("StorageConnectors", [])),
        "permissions": {each["Action"]: each["Permission"] for each in found.get("UserSettings", [])},
        "errors": [each.get("ErrorMessage", "") for each in found.get("StackErrors", [])],
    }


def _images(place: Place) -> list[Json]:
    rows = place.pages(place.client.describe_images, "Images", Type="PRIVATE")
    return [
        {
            "name": row["Name"],
            "state": row["State"],
            "reasons": images.reasons(row) if row["State"] == "FAILED" else None,
        }
        for row in rows
        if place.owns(place.tags_of(row["Arn"]) or {})
    ]


def _builder(found: Json | None) -> Json | None:
    return {"name": found["Name"], "state": found["State"]} if found else None


def _time(value: Any) -> str | None:
    return value.isoformat() if value else None


def _cost(place: Place, found: Json | None, sessions: int) -> Json:
    """What is paid for now: instances, and with a price dollars an hour and a month if it stays so.

    Elastic fleets are billed for sessions; others for instances that run, and On-Demand ones without a session, like
    image builders that are stopped, at a lower price that is not counted here.
    """
    price = place.settings.fleet.hourly_usd
    billed, meaning = 0, "nothing runs"
    if found and found["State"] != "STOPPED":
        if found["FleetType"] == "ALWAYS_ON":
            billed, meaning = found["ComputeCapacityStatus"].get("Running", 0), "every running instance"
        else:
            billed, meaning = sessions, "every session"
    hourly = None if price is None else round(billed * price, 4)
    return {
        "billed_instances": billed,
        "billed_for": meaning,
        "usd_an_hour": hourly,
        "usd_a_month": None if hourly is None else round(hourly * HOURS_OF_A_MONTH, 2),
    }


def _home_bucket(place: Place) -> str:
    return HOME_BUCKET.format(region=place.region, account=place.opened.workspace.account_id)


def home_folders(place: Place, user: str) -> list[str]:
    """Where in the bucket the home folders of a user are: as one of the pool, and as one of `appstream url`.

    https://docs.aws.amazon.com/appstream2/latest/developerguide/home-folders.html
    """
    digest = hashlib.sha256(user.encode()).hexdigest()
    return [f"user/{kind}/{digest}/" for kind in ("userpool", "custom")]


def teardown(
    place: Place, *, end_sessions: bool = False, delete_images: list[str], delete_home_folders: list[str]
) -> None:
    """Take all of it away but home folders, images and people in the pool; of those, what is named.

    Raises:
        Refused: people use it and `end_sessions` is not said, or an image is used elsewhere; nothing was changed.
    """
    fleet.check_sessions(place, end_sessions=end_sessions)
    for name in delete_images:
        images.check_unused(place, name)
    users.hide_all(place)
    if fleet.find(place):
        fleet.stop(place, end_sessions=True)
    stack.remove(place)
    application.remove(place)
    fleet.remove(place)
    builder.remove(place)
    for name in delete_images:
        images.remove(place, name)
    files.remove_bucket(place)
    network.remove_group(place)
    images.remove_role(place)
    for user in delete_home_folders:
        _delete_home(place, user)
    place.changes.say_if_none(f"workspace {place.workspace} has no AppStream")
    console.say(f"kept: home folders in {_home_bucket(place)}, images and people in the pool that were not named.")


def _home_objects(place: Place, user: str) -> list[str]:
    s3 = place.opened.client("s3")
    keys: list[str] = []
    try:
        for prefix in home_folders(place, user):
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=_home_bucket(place), Prefix=prefix):
                keys += [row["Key"] for row in page.get("Contents", [])]
    except ClientError as error:
        if aws.code_of(error) != "NoSuchBucket":
            raise
    return keys


def _delete_home(place: Place, user: str) -> None:
    s3, keys = place.opened.client("s3"), _home_objects(place, user)
    if not keys:
        console.say(
            f"{user} has no home folder in {_home_bucket(place)}; upper and lower case are as `appstream user list` "
            "shows them."
        )
        return

    def deleting() -> None:
        for key in keys:
            s3.delete_object(Bucket=_home_bucket(place), Key=key)

    place.changes.do(f"home folder of {user}: {len(keys)} objects deleted", deleting)
