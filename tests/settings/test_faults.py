"""Every fault of a workspace comes out at once, in our own words, and at the key that has it."""

from __future__ import annotations

import copy
import datetime
import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import ValidationError

from settings import SettingsError, Workspace
from settings.faults import faults
from settings.fields import Distinct, Settings, rule
from settings.load import parse
from tests.conftest import LEAST, merged

KEY = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
# A workspace with every section, so that each key can be made wrong in its place.
FULL: dict[str, Any] = merged(
    LEAST,
    {
        "topology": "rw-ro-tls",
        "access": {"server": {"cidrs": ["192.0.2.0/24"]}},
        "tls": {"domain_name": "omero.example.org", "hosted_zone_id": "Z1"},
        "share": {"address": "10.0.0.4", "bucket": "lab-slides"},
        "file_gateway": {},
        "upload_host": {"sources": [{"bucket": "lab-slides"}]},
        "datasync": {},
        "appstream": {"insight": {}},
        "sftp": {"cidrs": ["192.0.2.0/24"]},
        "state": {},
        "network": {"existing": {}, "flow_logs": {}},
        "data": {"file_system": {}, "database": {}, "backup": {}},
        "omero": {"server": {}, "read_only": {}, "ec2": {}, "web": {"sessions": {}}, "importer": {}},
    },
)
LONG = "x" * 5000
HOSTILE = "a\x1b[31m\r\n\u202eb"
WRONG: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**30, 1.5, float("nan"), "", "x", LONG, HOSTILE, datetime.date(2026, 1, 2)),
    *([], [None], [[]], ["x", "x"], ["x"] * 51, {}, {"x": 1}, {"x": {}}),
)
# What only pydantic would say.
THEIRS = re.compile(
    r"Input should|[Ss]hould be|valid (boolean|integer|string|tuple|number|list|dict)|ctx|String should|"
    r"Field required|Extra inputs|Value error|pydantic|unable to parse|None|True|False"
)


def bare(annotation: Any) -> list[Any]:
    """A type and all that it is made of."""
    inner = [each for part in get_args(annotation) for each in bare(part)]
    return [annotation, *inner]


def models(model: type[Settings]) -> set[type[Settings]]:
    """A model and all models in it."""
    found = {model}
    for field in model.model_fields.values():
        for part in bare(field.annotation):
            if isinstance(part, type) and issubclass(part, Settings):
                found |= models(part)
    return found


ALL = sorted(models(Workspace), key=lambda model: model.__name__)


def paths(model: type[Settings], at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The path of every key of a workspace, and whether sections are below it."""
    for key, field in model.model_fields.items():
        parts = bare(field.annotation)
        inner = next((part for part in parts if isinstance(part, type) and issubclass(part, Settings)), None)
        section = inner is not None and tuple not in [get_origin(part) for part in parts]
        if not field.exclude:
            yield (*at, key), section
        if inner and section:
            yield from paths(inner, (*at, key))


PATHS = dict(paths(Workspace))


def full(wrong: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """The full workspace with other values at some paths."""
    made = copy.deepcopy(FULL)
    for path, value in wrong.items():
        section: Any = made
        for key in path[:-1]:
            section = section.setdefault(key, {})
        section[path[-1]] = value
    return made


def check(values: dict[str, Any]) -> None:
    """Our walk refuses all that pydantic does and nothing else, in our own words."""
    found = faults(Workspace, values)
    try:
        Workspace.model_validate(values)
    except ValidationError as error:
        refused = {tuple(part for part in fault["loc"] if part != "[key]") for fault in error.errors()}
    else:
        refused = set()
    ours = {fault.at for fault in found}
    # Of a list that is too short we speak as a whole; pydantic makes no default that follows from what it refused.
    defaults = {at for at in refused if at in PATHS and at not in wrong_keys(values)}
    assert {at for at in refused - ours - defaults if at[:-1] not in ours} == set()
    assert bool(found) == bool(refused)
    for fault in found:
        said = str(fault)
        assert said.startswith(".".join(map(str, fault.at)) or "(top level)"), said
        assert said.endswith("."), said
        assert len(said) < 900, said
        assert not THEIRS.search(said), said


def wrong_keys(values: Any, at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every key that is given."""
    if not isinstance(values, dict):
        return set()
    below = (wrong_keys(value, (*at, key)) for key, value in values.items())
    return {(*at, key) for key in values}.union(*below)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong)[:20])
def test_every_key_refuses_a_wrong_value_in_our_own_words(wrong: Any) -> None:
    check(full({path: wrong for path, section in PATHS.items() if not section}))
    check(full({("upload_host", "sources"): [{"bucket": wrong, "prefixes": wrong, "key_arn": wrong}, wrong]}))


@pytest.mark.parametrize("path", [path for path, section in PATHS.items() if section], ids=".".join)
def test_every_section_refuses_what_is_none_in_our_own_words(path: tuple[str, ...]) -> None:
    for wrong in (None, 1, "x", [], ["x"], {"x": 1}):
        check(full({path: wrong}))


def test_all_keys_are_tried() -> None:
    assert len(PATHS) > 100
    assert ("omero", "web", "sessions", "replicas") in PATHS


@pytest.mark.parametrize("path", [("region",), ("tags",), ("sftp", "folder"), ("omero", "server", "image")])
def test_what_is_written_in_a_file_cannot_steer_a_terminal(path: tuple[str, ...]) -> None:
    text = 'account_id: "111122223333"\naccess: {cidrs: [192.0.2.0/24]}\ntopology: rw-http\n'
    if path != ("region",):
        text += "region: eu-west-1\n"
    value = '"a\\e[31m\\r\\n\\u202eb"'
    for part in reversed(path[1:]):
        value = f"{{{part}: {value}}}"
    with pytest.raises(SettingsError) as caught:
        parse(f"{text}{path[0]}: {value}\n", "lab", "lab.yaml")
    for said in caught.value.faults:
        assert said.isprintable(), said


def test_faults_of_rules_and_of_values_come_out_together() -> None:
    text = """
account_id: "111122223333"
region: Ireland
topology: rw-http
access: {cidrs: [0.0.0.0/0, 192.0.2.0/24, 192.0.2.0/255.255.255.0], internal: perhaps}
network:
  existing: {vpc_id: vpc, public_subnet_ids: [subnet-01234567, subnet-01234567], private_subnet_ids: []}
  cidr: 10.0.0.0/8
  private_subnets: [10.192.10.0/24, 192.0.2.0/29]
  nat_gateways: none
data: {database: {storage_gib: 200, max_storage_gib: 210, instance_class: large}}
omero:
  server: {cpu: 4, image: omero-server}
  web: {count: 3, max_count: 2, memory_mib: 1}
  importer: {admin: it, parallel_filesets: x}
datasync: {key_arn: OURS, folder: /OMERO/SFTP, schedule: daily}
sftp: {endpoint: public, internal: true, log_retention_days: 2}
upload_host: {sources: [{bucket: lab}, {bucket: lab}, {bucket: Lab, key_arn: THEIRS}], count: 3}
""".replace("OURS", KEY).replace("THEIRS", KEY.replace("eu-central-1", "us-east-1"))
    with pytest.raises(SettingsError) as caught:
        parse(text, "lab", "lab.yaml")
    keys = {re.split(r": | is ", said.removeprefix("lab.yaml: "), maxsplit=1)[0] for said in caught.value.faults}
    assert keys == {
        *("region", "access.cidrs.0", "access.cidrs.2", "access.internal"),
        *("network.existing", "network.existing.vpc_id", "network.existing.public_subnet_ids.1"),
        *("network.existing.private_subnet_ids", "network.cidr", "network.nat_gateways"),
        *("network.private_subnets.1", "data.database.max_storage_gib", "data.database.instance_class"),
        *("omero.server.cpu", "omero.server.image", "omero.web.max_count", "omero.web.memory_mib"),
        *("omero.importer.password_arn", "omero.importer.parallel_filesets", "datasync.key_arn", "datasync.schedule"),
        *("sftp.endpoint", "sftp.internal", "sftp.log_retention_days", "upload_host.count"),
        *("upload_host.sources.1", "upload_host.sources.2.bucket", "datasync.folder"),
    }


def test_a_rule_that_breaks_is_no_fault_of_the_settings() -> None:
    class Broken(Settings):
        count: int

        @rule
        def _typing_error(self) -> Iterator[tuple[str, str]]:
            yield "count", self.cuont  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match="cuont"):
        Broken(count=1)


def lists(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every tuple in a type, and what it is annotated with."""
    if get_origin(annotation) is Annotated:
        kind, *more = get_args(annotation)
        yield from lists(kind, (*metadata, *more))
    elif get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from lists(part, metadata)
    elif get_origin(annotation) is tuple:
        yield annotation, metadata
        for part in get_args(annotation):
            yield from lists(part)


def test_every_list_refuses_an_entry_that_is_there_twice() -> None:
    found = 0
    for model in ALL:
        for key, field in model.model_fields.items():
            for kind, metadata in lists(field.annotation, tuple(field.metadata)):
                found += 1
                assert any(isinstance(each, Distinct) for each in metadata), f"{model.__name__}.{key}: {kind}"
    assert found > 10


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        ({"access": {"cidrs": ["192.0.2.0/24"] * 2}}, "access.cidrs.1", "'192.0.2.0/24'"),
        ({"access": {"cidrs": ["10.0.0.0/8", "10.0.0.0/255.0.0.0"]}}, "access.cidrs.1", "'10.0.0.0/"),
        ({"sftp": {"cidrs": ["192.0.2.0/24", "x", "192.0.2.0/24"]}}, "sftp.cidrs.2", "'192.0.2.0/24'"),
        ({"datasync": {"alarm_emails": ["it@example.org", "IT@Example.org"]}}, "datasync.alarm_emails.1", "'IT@Exam"),
        ({"upload_host": {"sources": [{"bucket": "lab", "prefixes": ["a/", "a/"]}]}}, "sources.0.prefixes.1", "'a/'"),
        (
            {"upload_host": {"sources": [{"bucket": "lab"}, {"bucket": "lab", "x": 1}]}},
            "upload_host.sources.1",
            "'lab'",
        ),
        ({"file_gateway": {"activation_cidrs": ["10.0.0.0/8"] * 2}}, "file_gateway.activation_cidrs.1", "'10.0.0.0/8'"),
        ({"appstream": {"stack": {"embed_domains": ["a.org"] * 2}}}, "appstream.stack.embed_domains.1", "'a.org'"),
    ],
    ids=str,
)
def test_refuses_an_entry_twice(change: dict[str, Any], key: str, value: str) -> None:
    with pytest.raises(ValidationError):
        Workspace.model_validate(merged(LEAST, change))
    said = [str(fault) for fault in faults(Workspace, merged(LEAST, change))]
    assert [each for each in said if f"{key}: {value}" in each and "is already in the list, as entry 0; give" in each]


def test_prefixes_are_told_apart_by_case() -> None:
    source = {"bucket": "lab", "prefixes": ["a/", "A/"]}
    assert Workspace.model_validate(merged(LEAST, {"upload_host": {"sources": [source]}})).upload_host
