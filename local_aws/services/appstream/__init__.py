"""AppStream 2.0: app blocks, applications, fleets, stacks, users, images and image builders. moto 5.2.5 has none of it.

| setting | default | what it is |
|---|---|---|
| LOCAL_AWS_APPSTREAM_FLEET_START_SECONDS | 2 | STARTING; on AWS 5 to 30 minutes, for an Elastic fleet less |
| LOCAL_AWS_APPSTREAM_FLEET_STOP_SECONDS | 1 | STOPPING |
| LOCAL_AWS_APPSTREAM_IMAGE_SECONDS | 1 | each state of an image; on AWS an hour altogether |
| LOCAL_AWS_APPSTREAM_BUILDER_SECONDS | 1 | each state of an image builder; on AWS some 15 minutes |
| LOCAL_AWS_APPSTREAM_QUOTAS | | such as `stream.standard.large=0,users=10`; else AWS's own, and 50 of a type |

States change as time goes by, whenever a request is answered. Faults on request: see `local_aws.faults`, of which
there are in particular FleetErrors in which a start ends, FAILED images and builders, and the failures that
BatchAssociateUserStack tells with status 200.

What a person does is a POST of JSON to `/_local/appstream/sessions`: `{"url": ...}` opens a streaming URL, and
`{"url": ..., "script": ...}` pastes a script into an image builder, of which the lines that begin with `Assistant`
(a function that runs image-assistant.exe) are understood.

Objects in S3 have to be there, in the same region, and their bucket's policy has to let the service read them, when
they are named and when a session begins. What is AWS's own and what is not proved: errors come with the codes of the
service's model; of messages only those of the model's own documentation are AWS's. That a stack takes one fleet, and
that an image builder takes one subnet, is said by the console's documentation.

Not modelled (501): app block builders, entitlements, themes, directories, usage reports, copies and permissions of
images, export of images, images from WorkSpaces.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from moto import backend_index
from moto.core import DEFAULT_ACCOUNT_ID

from local_aws.application import LocalAwsApplication
from local_aws.services.appstream import images, stacks
from local_aws.services.appstream.models import AppStreamBackend, AppStreamError, appstream_backends

__all__ = ["appstream_backends", "install"]

_PATTERN = re.compile(r"https?://appstream2?\.(.+)\.amazonaws\.com")


def _person(method: str, body: bytes) -> tuple[int, Any]:
    """What a person does with a streaming URL."""
    asked = json.loads(body)
    try:
        backend = _backend_of(asked["url"])
        if "script" in asked:
            return 200, images.paste(backend, asked["url"], asked["script"])
        return 200, stacks.open_session(backend, asked["url"])
    except AppStreamError as error:
        return 400, {"code": error.code, "message": error.message}


def _backend_of(url: str) -> AppStreamBackend:
    for regions in list(appstream_backends.values()):
        for backend in list(regions.values()):
            if url in backend.streaming_urls:
                return backend  # type: ignore[no-any-return]
    return appstream_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]  # type: ignore[no-any-return]


def install() -> None:
    """Make it a service of moto's."""
    sys.modules["moto.appstream"] = sys.modules[__name__]
    if not any(name == "appstream" for name, _ in backend_index.backend_url_patterns):
        backend_index.backend_url_patterns.append(("appstream", _PATTERN))
    LocalAwsApplication.resources["/_local/appstream/sessions"] = _person
