"""OMERO's own properties in a workspace: which there are, whose they are, and how a value is written for OMERO."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from settings.fields import Fault, SecretArn
from settings.text import yaml_value

Side = Literal["server", "web"]
Kind = Literal["text", "boolean", "integer", "number", "list", "object"]

Values = Annotated[dict[str, Any], Field(max_length=200)]
Lists = Annotated[dict[str, list[Any]], Field(max_length=50)]
Secrets = Annotated[dict[str, SecretArn], Field(max_length=50)]

_NAMES = Path(__file__).with_name("omero_names.txt")

MAX_CHARACTERS = 16_384
"""Of all values of one container: a task definition has 64 KiB (ECS's quotas), and each version keeps them."""

# What the product sets, by the beginning of the name, and what to set instead or why nobody may.
_OWNED: dict[Side, dict[str, str]] = {
    "server": {
        "omero.client.icetransports": "it follows from access.server",
        "omero.cluster.": "it follows from omero.read_only",
        "omero.data.dir": "it is where the file system is mounted",
        "omero.db.poolsize": "set omero.server.database_connections",
        "omero.db.": "it follows from the section database",
        "omero.fs.repo.path": "imports find what they wrote by OMERO's own rule",
        "omero.fs.": "the command `omero-aws dropbox` sets it",
        "omero.grid.": "all parts of a server run in one container",
        "omero.jvmcfg.append": "",
        "omero.jvmcfg.heap_dump": "a dump would fill the container's disk",
        "omero.jvmcfg.": "it follows from omero.server.memory_mib",
        "omero.managed.dir": "it is where the file system is mounted",
        "omero.pixeldata.memoizer.dir": "the cache has a place of its own",
        "omero.ports.": "load balancers and security groups count on OMERO's own ports",
        "omero.server.nodedescriptors": "the command `omero-aws dropbox` sets it",
        "omero.threads.background_threads": "omero.importer.parallel_filesets counts on OMERO's own",
        "omero.upgrades.": "no container may connect to where OMERO asks for upgrades",
    },
    "web": {
        "omero.web.allowed_hosts": "the load balancer decides which names are answered",
        "omero.web.application_server": "the load balancer counts on how OMERO.web is served",
        "omero.web.caches": "it follows from omero.web.sessions",
        "omero.web.check_version": "no container may connect to where OMERO asks for upgrades",
        "omero.web.csrf_cookie_secure": "it follows from the section tls",
        "omero.web.csrf_trusted_origins": "it follows from the section tls",
        "omero.web.databases": "OMERO.web has no database of its own",
        "omero.web.debug": "it would show the configuration to everybody",
        "omero.web.django_additional_settings": "OMERO.web's logs are set there",
        "omero.web.feedback.": "no container may connect to where OMERO.web sends it",
        "omero.web.force_script_name": "set omero.web.prefix",
        "omero.web.logdir": "logs go to CloudWatch",
        "omero.web.nginx_server_extra_config": "there is no nginx",
        "omero.web.secret_key": "all containers share one, which is generated",
        "omero.web.secure_proxy_ssl_header": "it follows from the section tls",
        "omero.web.server_list": "it follows from omero.read_only",
        "omero.web.session_cookie_secure": "it follows from the section tls",
        "omero.web.session_engine": "it follows from omero.web.sessions",
        "omero.web.session_serializer": "sessions in the cache count on OMERO's own",
        "omero.web.static_root": "static files are in the container image",
        "omero.web.upgrades.": "no container may connect to where OMERO asks for upgrades",
        "omero.web.use_x_forwarded_host": "the load balancer passes on the name that was asked for",
        "omero.web.wsgi_": "workers, threads and time-outs follow from omero.web.cpu and the load balancer",
    },
}

# The image's own .omero files append to these before anything is set.
_OF_THE_IMAGE = ("omero.web.apps", "omero.web.middleware", "omero.web.open_with")

_SECRET = re.compile(r"(^|[._])(api_key|credentials?|pass|passwd|password|secret|token)$|(P|_p)assword$")
_WITH_PASSWORD = re.compile(r"\w+://[^/\s:@]*:[^/\s@]+@")


@cache
def known(side: Side) -> Mapping[str, Kind]:
    """What the pinned OMERO knows, and what each takes."""
    lines = (line.split() for line in _NAMES.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {name: kind for where, name, kind in lines if where == side}  # type: ignore[misc]


def written(value: Any) -> str:
    """A value as OMERO reads it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def faults(
    side: Side, values: Mapping[str, Any], lists: Mapping[str, list[Any]], secrets: Mapping[str, str]
) -> Iterator[Fault]:
    """What is wrong with what a workspace sets, appends and takes from secrets."""
    apps = [str(app) for app in lists.get("omero.web.apps", ())]
    for key, given in (("properties", values), ("append", lists), ("secret_properties", secrets)):
        for name in given:
            if said := _unknown(side, name, apps) or _owned(side, name):
                yield f"{key}.{name}", said
            elif name in _OF_THE_IMAGE and given is not lists:
                yield f"{key}.{name}", "would replace what the container image has; give it under append"
    for name, value in values.items():
        kind = known(side).get(name)
        if kind in (None, "text") and _SECRET.search(name):
            yield f"properties.{name}", "is a secret; give the ARN of one that holds it under secret_properties"
        elif said := _misfit(kind or _guess(value), value):
            yield f"properties.{name}", said
        if name in secrets or name in lists:
            yield f"properties.{name}", "is given twice; leave one of them out"
    for name, entries in lists.items():
        if known(side).get(name, "list") != "list":
            yield f"append.{name}", "is no list; give it under properties"
        if not entries:
            yield f"append.{name}", "has no entries; give one, or leave it out"
        if _WITH_PASSWORD.search(written(entries)):
            yield f"append.{name}", "holds a password in a URL; give the whole value as a secret of secret_properties"
    characters = sum(len(name) + len(written(value)) for given in (values, lists) for name, value in given.items())
    if characters > MAX_CHARACTERS:
        yield "properties", f"have {characters} characters in all; give at most {MAX_CHARACTERS}"


def _unknown(side: Side, name: str, apps: list[str]) -> str | None:
    names = known(side)
    if name in names or any(name.startswith(f"omero.web.{app.removeprefix('omero_')}.") for app in apps):
        return None
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    other: Side = "server" if side == "web" else "web"
    if name in known(other):
        return f"is OMERO.{other}'s; give it under omero.{other}.properties"
    hint = f" (did you mean {near[0]}?)" if near else ""
    more = ", or add its app to append.omero.web.apps" if name.startswith("omero.web.") and not near else ""
    return f"is no property of OMERO.{side}{hint}; give one of OMERO's own names{more}"


def _owned(side: Side, name: str) -> str | None:
    for start, reason in _OWNED[side].items():
        if name == start or (name.startswith(start) and start[-1] in "._") or name.startswith(f"{start}."):
            return f"cannot be set here: {reason}" if reason else None
    return None


def _guess(value: Any) -> Kind:
    """Of a property that only an app of one's own knows: whatever it is given as."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case list():
            return "list"
        case dict():
            return "object"
        case _:
            return "text"


_WORDS: dict[Kind, str] = {
    "text": "text (in quotes, if YAML reads something else)",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "list": "a list",
    "object": "keys and values under it",
}


def _misfit(kind: Kind, value: Any) -> str | None:
    """What is wrong with a value; OMERO itself reads numbers and truth values from text."""
    found = _guess(value)
    fits = {"text": ("text", "boolean", "integer", "number"), "number": ("number", "integer")}.get(kind, (kind,))
    if value is None or found not in fits:
        return f"{yaml_value(value)} is not allowed; give {_WORDS[kind]}"
    if isinstance(value, str) and any(ord(character) < ord(" ") for character in value):
        return "has a line break or another control character; give one line"
    if _WITH_PASSWORD.search(written(value)):
        return "holds a password in a URL; give the whole value as a secret of secret_properties"
    return None
