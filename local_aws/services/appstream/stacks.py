"""Stacks, the fleets behind them, streaming URLs and sessions."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from moto.s3.models import s3_backends

from local_aws.services.appstream import applications, checks
from local_aws.services.appstream.models import (
    AppStreamBackend,
    AppStreamError,
    Json,
    Thing,
    combination,
    in_use,
    not_permitted,
    page,
)

_COPIED = (
    "DisplayName",
    "Description",
    "StorageConnectors",
    "RedirectURL",
    "FeedbackURL",
    "UserSettings",
    "ApplicationSettings",
    "EmbedHostDomains",
)
_TO_DELETE = {
    "STORAGE_CONNECTORS": "StorageConnectors",
    "STORAGE_CONNECTOR_HOMEFOLDERS": "StorageConnectors",
    "REDIRECT_URL": "RedirectURL",
    "FEEDBACK_URL": "FeedbackURL",
    "USER_SETTINGS": "UserSettings",
    "EMBED_HOST_DOMAINS": "EmbedHostDomains",
}
# A stack that says nothing has them all enabled: "All actions are enabled by default" (API_CreateStack, UserSettings).
_ACTIONS = {
    "CLIPBOARD_COPY_FROM_LOCAL_DEVICE": "ENABLED",
    "CLIPBOARD_COPY_TO_LOCAL_DEVICE": "ENABLED",
    "FILE_UPLOAD": "ENABLED",
    "FILE_DOWNLOAD": "ENABLED",
    "PRINTING_TO_LOCAL_DEVICE": "ENABLED",
}
LEAST_VALIDITY, DEFAULT_VALIDITY, MOST_VALIDITY = 1, 60, 604_800  # seconds
# https://docs.aws.amazon.com/appstream2/latest/developerguide/home-folders.html
HOME_BUCKET = "appstream2-36fb080bb8-{region}-{account}"


def create_stack(backend: AppStreamBackend, asked: Json) -> Json:
    stack = backend.add("stack", asked, {})
    _set(backend, stack, asked)
    return {"Stack": stack.describe()}


def update_stack(backend: AppStreamBackend, asked: Json) -> Json:
    stack = backend.thing("stack", asked["Name"])
    for attribute in asked.get("AttributesToDelete") or []:
        stack.shown.pop(_TO_DELETE.get(attribute, attribute), None)
    if asked.get("DeleteStorageConnectors"):
        stack.shown.pop("StorageConnectors", None)
    _set(backend, stack, asked)
    return {"Stack": stack.describe()}


def _set(backend: AppStreamBackend, stack: Thing, asked: Json) -> None:
    stack.shown.update({name: asked[name] for name in _COPIED if asked.get(name) is not None})
    given = {each["Action"]: each["Permission"] for each in stack.shown.get("UserSettings") or []}
    merged = {**_ACTIONS, **given}
    stack.shown["UserSettings"] = [{"Action": name, "Permission": value} for name, value in merged.items()]
    if any(each["ConnectorType"] == "HOMEFOLDERS" for each in stack.shown.get("StorageConnectors") or []):
        bucket = _home_bucket(backend)
        stack.shown["StorageConnectors"] = [{"ConnectorType": "HOMEFOLDERS", "ResourceIdentifier": bucket}]


def _home_bucket(backend: AppStreamBackend) -> str:
    """The bucket that AWS makes for the home folders of the whole region, and refuses to have deleted."""
    name = HOME_BUCKET.format(region=backend.region_name, account=backend.account_id)
    s3 = s3_backends[backend.account_id][backend.partition]
    if name not in s3.buckets:
        s3.create_bucket(name, backend.region_name)
        denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": f"arn:aws:s3:::{name}"}
        policy = {"Version": "2012-10-17", "Statement": [{"Sid": "PreventAccidentalDeletionOfBucket", **denied}]}
        s3.put_bucket_policy(name, json.dumps(policy).encode())
    return name


def describe_stacks(backend: AppStreamBackend, asked: Json) -> Json:
    return backend.described("stack", asked, "Stacks")


def delete_stack(backend: AppStreamBackend, asked: Json) -> Json:
    stack = backend.thing("stack", asked["Name"])
    if fleets := [fleet for name, fleet in backend.fleets_of_stacks if name == stack.name]:
        raise in_use(f"The stack {stack.name} is associated with the fleet {fleets[0]}.")
    backend.forget(stack)
    backend.stacks_of_users = {pair for pair in backend.stacks_of_users if pair[1] != stack.name}
    return {}


def associate_fleet(backend: AppStreamBackend, asked: Json) -> Json:
    fleet, stack = backend.thing("fleet", asked["FleetName"]), backend.thing("stack", asked["StackName"])
    others = {each for name, each in backend.fleets_of_stacks if name == stack.name} - {fleet.name}
    if others:
        raise AppStreamError("LimitExceededException", f"The stack {stack.name} has a fleet already.")
    backend.fleets_of_stacks.add((stack.name, fleet.name))
    return {}


def disassociate_fleet(backend: AppStreamBackend, asked: Json) -> Json:
    fleet, stack = backend.thing("fleet", asked["FleetName"]), backend.thing("stack", asked["StackName"])
    used = [each for each in backend.sessions.values() if each["State"] == "ACTIVE" and each["StackName"] == stack.name]
    if used:
        raise in_use(f"The stack {stack.name} has active sessions.")
    backend.fleets_of_stacks.discard((stack.name, fleet.name))
    return {}


def list_associated_fleets(backend: AppStreamBackend, asked: Json) -> Json:
    names = sorted(fleet for stack, fleet in backend.fleets_of_stacks if stack == asked["StackName"])
    return page(names, asked, "Names")


def create_streaming_url(backend: AppStreamBackend, asked: Json) -> Json:
    fleet, stack = backend.thing("fleet", asked["FleetName"]), backend.thing("stack", asked["StackName"])
    if (stack.name, fleet.name) not in backend.fleets_of_stacks:
        raise not_permitted(f"The fleet {fleet.name} is not associated with the stack {stack.name}.")
    if fleet.state != "RUNNING":
        raise AppStreamError("ResourceNotAvailableException", f"The fleet {fleet.name} is {fleet.state}.")
    validity = asked.get("Validity") or DEFAULT_VALIDITY
    return _url(backend, {"user": asked["UserId"], "stack": stack.name, "fleet": fleet.name}, validity)


def create_image_builder_streaming_url(backend: AppStreamBackend, asked: Json) -> Json:
    builder = backend.thing("image-builder", asked["Name"])
    if builder.state != "RUNNING":
        raise not_permitted(f"The image builder {builder.name} is {builder.state}.")
    return _url(backend, {"builder": builder.name}, asked.get("Validity") or 3600)


def _url(backend: AppStreamBackend, of: Json, validity: int) -> Json:
    if not LEAST_VALIDITY <= validity <= MOST_VALIDITY:
        raise combination(f"Validity is {validity}; {LEAST_VALIDITY} to {MOST_VALIDITY} are allowed.")
    url = f"https://appstream2.{backend.region_name}.aws.amazon.com/authenticate?parameters={secrets.token_urlsafe(48)}"
    expires = time.time() + validity
    backend.streaming_urls[url] = {**of, "expires": expires}
    return {"StreamingURL": url, "Expires": expires}


def open_session(backend: AppStreamBackend, url: str) -> Json:
    """What happens when a person opens a streaming URL: an instance is taken, an Elastic one downloads its application.

    Raises AppStreamError.
    """
    backend.settle()
    found = backend.streaming_urls.get(url)
    if found is None or found["expires"] < time.time() or "fleet" not in found:
        raise not_permitted("The streaming URL is not valid, or has expired.")
    fleet = backend.thing("fleet", found["fleet"])
    if fleet.state != "RUNNING":
        raise AppStreamError("ResourceNotAvailableException", f"The fleet {fleet.name} is {fleet.state}.")
    active = [each for each in backend.sessions.values() if each["State"] == "ACTIVE"]
    if sum(1 for each in active if each["FleetName"] == fleet.name) >= fleet.shown["instances"]:
        raise AppStreamError("ResourceNotAvailableException", f"The fleet {fleet.name} has no instance left.")
    if fleet.shown["FleetType"] == "ELASTIC":
        for location in applications.objects_of(backend, fleet.name):
            checks.check_object(backend, location)
    session = {
        "Id": secrets.token_hex(16),
        "UserId": found["user"],
        "StackName": found["stack"],
        "FleetName": fleet.name,
        "State": "ACTIVE",
        "ConnectionState": "CONNECTED",
        "StartTime": time.time(),
        "MaxExpirationTime": time.time() + fleet.shown["MaxUserDurationInSeconds"],
        "AuthenticationType": "API",
    }
    backend.sessions[session["Id"]] = session
    return session


def describe_sessions(backend: AppStreamBackend, asked: Json) -> Json:
    kind = asked.get("AuthenticationType") or "API"

    def is_asked(session: Any) -> bool:
        same = (session["StackName"], session["FleetName"]) == (asked["StackName"], asked["FleetName"])
        return same and asked.get("UserId") in (None, session["UserId"]) and session["AuthenticationType"] == kind

    return page([each for each in backend.sessions.values() if is_asked(each)], asked, "Sessions", 50)
