"""What AppStream holds, for each account and region, and what its actions share."""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass, field
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import ServiceException

from local_aws.faults import Faults
from local_aws.services.appstream import settings

Json = dict[str, Any]

# Each kind of thing, as its ARN names it, and as it is called in messages and quotas.
KINDS = {
    "app-block": "app blocks",
    "application": "applications",
    "fleet": "fleets",
    "stack": "stacks",
    "image": "images",
    "image-builder": "image builders",
}
GONE = "(gone)"


class AppStreamError(ServiceException):  # type: ignore[misc]
    """An error of the service's model."""


def missing(kind: str, name: str) -> AppStreamError:
    return AppStreamError("ResourceNotFoundException", f"{_words(kind)} {name} does not exist.")


def combination(message: str) -> AppStreamError:
    return AppStreamError("InvalidParameterCombinationException", message)


def not_permitted(message: str) -> AppStreamError:
    return AppStreamError("OperationNotPermittedException", message)


def in_use(message: str) -> AppStreamError:
    return AppStreamError("ResourceInUseException", message)


def limit(what: str) -> AppStreamError:
    return AppStreamError("LimitExceededException", f"The request exceeds the quota for {what} of your account.")


def _words(kind: str) -> str:
    return "The " + kind.replace("-", " ")


# Those of FleetErrorCode end a start; those of the reason codes end an image or a builder.
FLEET_ERRORS = {
    "FLEET_INSTANCE_PROVISIONING_FAILURE": "Unable to provision instances for the fleet.",
    "SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES": "The subnet has no free IP addresses.",
    "IAM_SERVICE_ROLE_IS_MISSING": "The AmazonAppStreamServiceAccess role does not exist.",
}
IMAGE_ERRORS = {
    "IMAGE_IMPORT_FAILURE": "The AMI could not be imported: the sysprep state of the volume is not valid.",
    "INTERNAL_ERROR": "An internal error occurred.",
}
BUILDER_ERRORS = {
    "IMAGE_UNAVAILABLE": "The base image is not available.",
    "INTERNAL_ERROR": "An internal error occurred.",
}
_IMAGE_ENDS, _BUILDER_ENDS = ("|".join(each) for each in (IMAGE_ERRORS, BUILDER_ERRORS))
# In 200s, one for each association.
_ASSOCIATION_ENDS = "USER_NAME_NOT_FOUND|DIRECTORY_NOT_FOUND"
FAULTS = Faults(
    "appstream",
    words={
        "StartFleet": "|".join(FLEET_ERRORS),
        "CreateImportedImage": _IMAGE_ENDS,
        "CreateImage": "INTERNAL_ERROR",  # Image Assistant's
        "CreateImageBuilder": _BUILDER_ENDS,
        "StartImageBuilder": _BUILDER_ENDS,
        "BatchAssociateUserStack": _ASSOCIATION_ENDS,
        "BatchDisassociateUserStack": _ASSOCIATION_ENDS,
    },
)


@dataclass
class Thing:
    """A fleet, an image and so on. `shown` is what its Describe action answers, but for the state.

    `due`: when the present state ends (seconds since 1970); `following`: those after it, each with the seconds that it
    lasts. `on_end`: what the thing tells beside its state from the end on.
    """

    kind: str
    name: str
    arn: str
    shown: Json
    state: str = ""
    due: float | None = None
    following: list[tuple[str, float]] = field(default_factory=list)
    on_end: Json = field(default_factory=dict)

    def move(self, *states: tuple[str, float], then: str, **on_end: Any) -> None:
        """Go through `states`, for so many seconds each, to the state `then`."""
        self.following, self.on_end = [*states, (then, 0.0)], on_end
        self._next(time.time())

    def settle(self, now: float) -> None:
        while self.due is not None and self.due <= now:
            self._next(self.due)

    def _next(self, began: float) -> None:
        self.state, lasts = self.following.pop(0)
        self.due = began + lasts if self.following else None
        if not self.following:
            self.shown.update(self.on_end)

    def describe(self) -> Json:
        shown = {name: value for name, value in self.shown.items() if value not in (None, "", [], {})}
        return {**shown, "Name": self.name, "Arn": self.arn, **({"State": self.state} if self.state else {})}


class AppStreamBackend(BaseBackend):  # type: ignore[misc]
    """One account's in one region. `things` by kind and name; associations as sets of pairs of names or ARNs."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.things: dict[str, dict[str, Thing]] = {kind: {} for kind in KINDS}
        self.users: dict[str, Json] = {}
        self.fleets_of_applications: set[tuple[str, str]] = set()  # an application's ARN, a fleet's name
        self.fleets_of_stacks: set[tuple[str, str]] = set()  # a stack's name, a fleet's
        self.stacks_of_users: set[tuple[str, str]] = set()  # a user's name, a stack's
        self.sessions: dict[str, Json] = {}
        self.streaming_urls: dict[str, Json] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.quotas = settings.quotas()

    def settle(self) -> None:
        """Let everything that is due happen."""
        now = time.time()
        for things in self.things.values():
            for thing in list(things.values()):
                thing.settle(now)
                if thing.state == GONE:
                    self.forget(thing)
        for session in self.sessions.values():
            if session["MaxExpirationTime"] <= now or session["FleetName"] not in self.things["fleet"]:
                session["State"] = "EXPIRED"

    def arn(self, kind: str, name: str) -> str:
        return f"arn:{self.partition}:appstream:{self.region_name}:{self.account_id}:{kind}/{name}"

    def thing(self, kind: str, name: str) -> Thing:
        """Raises ResourceNotFoundException. Names are as they were given, in upper and lower case."""
        if name not in self.things[kind]:
            raise missing(kind, name)
        return self.things[kind][name]

    def by_arn(self, arn: str) -> Thing:
        """Raises ResourceNotFoundException."""
        for things in self.things.values():
            for thing in things.values():
                if thing.arn == arn:
                    return thing
        raise AppStreamError("ResourceNotFoundException", f"Resource {arn} does not exist.")

    def add(self, kind: str, asked: Json, shown: Json) -> Thing:
        """Raises ResourceAlreadyExistsException, LimitExceededException."""
        name = asked["Name"]
        if name in self.things[kind]:
            raise AppStreamError("ResourceAlreadyExistsException", f"{_words(kind)} {name} already exists.")
        if len(self.own(kind)) >= self.quotas[KINDS[kind]]:
            raise limit(KINDS[kind])
        thing = Thing(kind, name, self.arn(kind, name), {**shown, "CreatedTime": time.time()})
        self.things[kind][name] = thing
        self.tags[thing.arn] = dict(asked.get("Tags") or {})
        return thing

    def own(self, kind: str) -> list[Thing]:
        """Those that are not AWS's."""
        return [each for each in self.things[kind].values() if each.shown.get("Visibility") != "PUBLIC"]

    def forget(self, thing: Thing) -> None:
        self.things[thing.kind].pop(thing.name, None)
        self.tags.pop(thing.arn, None)

    def check_instances(self, instance_type: str, number: int, *, besides: str = "") -> None:
        """Raises LimitExceededException if fleets and builders would have more instances of a type than the quota."""
        quota = self.quotas.get(instance_type, settings.OF_A_TYPE)
        used = sum(
            int(each.shown.get("instances", 1))
            for kind in ("fleet", "image-builder")
            for each in self.things[kind].values()
            if each.shown["InstanceType"] == instance_type and each.name != besides
        )
        if used + number > quota:
            raise limit(f"instances of {instance_type} ({quota})")

    def described(self, kind: str, asked: Json, name: str, most: int = 100) -> Json:
        """What a Describe action answers: by names, by ARNs or all."""
        if asked.get("Names") and asked.get("Arns"):
            raise combination("Names and Arns cannot be used together.")
        if asked.get("Names"):
            found = [self.thing(kind, each) for each in asked["Names"]]
        elif asked.get("Arns"):
            found = [self.by_arn(each) for each in asked["Arns"]]
        else:
            found = list(self.things[kind].values())
        return page([each.describe() for each in found], asked, name, most)


def page(rows: list[Any], asked: Json, name: str, most: int = 100) -> Json:
    """At most MaxResults (`most`) of them from NextToken on."""
    token = asked.get("NextToken")
    try:
        begin = int(base64.b64decode(token, validate=True)) if token else 0
    except (binascii.Error, ValueError):
        raise combination("NextToken is not valid.") from None
    end = begin + min(int(asked.get("MaxResults") or asked.get("Limit") or most), most)
    following = {"NextToken": base64.b64encode(str(end).encode()).decode()} if end < len(rows) else {}
    return {name: rows[begin:end], **following}


appstream_backends = BackendDict(AppStreamBackend, "appstream")
