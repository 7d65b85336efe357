"""All of AppStream: created, shown, deleted."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from contract.outputs import Omero
from scripts import console
from scripts.aws import buckets
from scripts.changes import look_ahead
from scripts.console import counted
from scripts.ingest.appstream import application, builder, files, fleet, images, network, stack, users
from scripts.ingest.appstream.context import AppStreamContext, Json
from scripts.ingest.appstream.users import Person

HOME_BUCKET = "appstream2-36fb080bb8-{region}-{account}"  # AWS's own name, the same in every account
HOURS_OF_A_MONTH = 730


def ensure(context: AppStreamContext, *, restart: bool = False, start: bool = True, send_email: bool = True) -> None:
    """Have all that the section `appstream` says, and the fleet RUNNING unless `start` is false.

    A killed run is continued; what is up to date is not changed. Nobody is removed from the user pool.

    Raises:
        Refused: it cannot work, or cannot be done without ending sessions; nothing was changed.
        Failed: AppStream could not do it, with its own reasons.
    """
    check(context, restart=restart)
    is_elastic = context.settings.fleet.type == "ELASTIC"
    packed = application.ensure(context) if is_elastic else None  # first, for it looks into archives
    network.ensure_service_role(context)
    group_id = network.ensure_group(context)
    fleet.ensure(context, group_id, restart=restart)
    if packed:
        application.associate(context)
    stack.ensure(context)
    stack.associate(context)
    if start:
        fleet.start(context)
    if packed:
        application.remove_old(context, packed)
    if context.settings.users:
        users.add(context, [Person(email=email) for email in context.settings.users], send_email=send_email)
    context.changes.say_if_none(f"AppStream of workspace {context.workspace} is up to date")


def check(context: AppStreamContext, *, restart: bool = False) -> None:
    """Look at everything that could be refused, before anything is changed. Raises Refused."""
    network.check(context)
    group = network.find_group(context)
    context.deployment.parameter(Omero.server_security_group_id)
    files.preset_of(context)
    fleet.check(context, group["GroupId"] if group else None, restart=restart)
    stack.find(context)
    if context.settings.fleet.type == "ELASTIC":
        application.find(context)


def status(context: AppStreamContext) -> Json:
    """All there is, with states, as data for JSON. Money in US dollars; None where no price is given."""
    found, there = fleet.find(context), stack.find(context)
    group = network.find_group(context)
    server_group = context.deployment.published(Omero.server_security_group_id) or ""
    way = bool(
        group
        and server_group
        and network.ingress_rule_id(context.deployment.client("ec2"), of=server_group, source=group["GroupId"])
    )
    open_sessions = fleet.sessions(context)
    people = users.members(context)
    return {
        "workspace": context.workspace,
        "region": context.region,
        "fleet": _fleet(found),
        "applications": [arn.rpartition("/")[2] for arn in application.associated(context)],
        "app_blocks": application.blocks(context),
        "stack": _stack(context, there),
        "users": people,
        "sessions": [
            {"user": each["UserId"], "state": each["State"], "since": _time(each.get("StartTime"))}
            for each in open_sessions
        ],
        "images": _images(context),
        "image_builder": _builder(builder.find(context)),
        "security_group": group["GroupId"] if group else None,
        "reaches_omero": way,
        "home_folders_bucket": _home_bucket(context),
        "cost": _cost(context, found, len(open_sessions)),
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


def _stack(context: AppStreamContext, found: Json | None) -> Json | None:
    if found is None:
        return None
    return {
        "name": found["Name"],
        "fleets": stack.fleets(context),
        "home_folders": any(each["ConnectorType"] == "HOMEFOLDERS" for each in found.get("StorageConnectors", [])),
        "permissions": {each["Action"]: each["Permission"] for each in found.get("UserSettings", [])},
        "errors": [each.get("ErrorMessage", "") for each in found.get("StackErrors", [])],
    }


def _images(context: AppStreamContext) -> list[Json]:
    rows = context.rows("describe_images", "Images", Type="PRIVATE")
    return [
        {
            "name": row["Name"],
            "state": row["State"],
            "reasons": images.reasons(row) if row["State"] == "FAILED" else None,
        }
        for row in rows
        if context.owns(context.tags_of(row["Arn"]) or {})
    ]


def _builder(found: Json | None) -> Json | None:
    return {"name": found["Name"], "state": found["State"]} if found else None


def _time(value: Any) -> str | None:
    return value.isoformat() if value else None


def _cost(context: AppStreamContext, found: Json | None, sessions: int) -> Json:
    """What is paid for now: instances, and with a price dollars an hour and a month if it stays so.

    Elastic fleets are billed for sessions; others for instances that run, and On-Demand ones without a session, like
    image builders that are stopped, at a lower price that is not counted here.
    """
    price = context.settings.fleet.hourly_usd
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


def _home_bucket(context: AppStreamContext) -> str:
    return HOME_BUCKET.format(region=context.region, account=context.deployment.workspace.account_id)


def home_folders(context: AppStreamContext, user: str) -> list[str]:
    """Where in the bucket the home folders of a user are: as one of the pool, and as one of `appstream url`.

    https://docs.aws.amazon.com/appstream2/latest/developerguide/home-folders.html
    """
    digest = hashlib.sha256(user.encode()).hexdigest()
    return [f"user/{kind}/{digest}/" for kind in ("userpool", "custom")]


def teardown(
    context: AppStreamContext, *, end_sessions: bool = False, delete_images: list[str], delete_home_folders: list[str]
) -> None:
    """Take all of it away but home folders, images and people in the pool; of those, what is named.

    All of it is read before anything is deleted.

    Raises:
        Refused: people use it and `end_sessions` is not said, or an image is used elsewhere; nothing was changed.
    """
    fleet.check_sessions(context, end_sessions=end_sessions)
    for name in delete_images:
        images.check_unused(context, name)
    _take_away(replace(context, changes=look_ahead()), delete_images, delete_home_folders)
    _take_away(context, delete_images, delete_home_folders)
    context.changes.say_if_none(f"workspace {context.workspace} has no AppStream")
    console.say(f"kept: home folders in {_home_bucket(context)}, the images you did not name, and users in the pool.")


def _take_away(context: AppStreamContext, delete_images: list[str], delete_home_folders: list[str]) -> None:
    users.hide_all(context)
    if fleet.find(context):
        fleet.stop(context, end_sessions=True)
    stack.remove(context)
    application.remove(context)
    fleet.remove(context)
    builder.remove(context)
    for name in delete_images:
        images.remove(context, name)
    files.remove_bucket(context)
    network.remove_group(context)
    images.remove_role(context)
    for user in delete_home_folders:
        _delete_home(context, user)


def _delete_home(context: AppStreamContext, user: str) -> None:
    s3, bucket = context.deployment.client("s3"), _home_bucket(context)
    keys = [row["Key"] for prefix in home_folders(context, user) for row in buckets.objects(s3, bucket, prefix=prefix)]
    if not keys:
        context.changes.say(
            f"{user} has no home folder in {bucket}; give the address in upper and lower case as `appstream user list` "
            "shows it."
        )
        return

    def deleting() -> None:
        for key in keys:
            s3.delete_object(Bucket=bucket, Key=key)

    context.changes.do(f"home folder of {user}: {counted(len(keys), 'object')} deleted", deleting)
