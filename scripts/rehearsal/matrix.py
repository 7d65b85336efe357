"""Which changes of a workspace are rehearsed, and in which order: a few chains of steps, one setting a step.

A chain turns each of its settings on, in order, and then off again, in the same order: each is turned on beside those
before it, and off beside those after it. A change that the workspace refuses for now (Fargate while there is a share)
waits until it is allowed. So a chain is twice as long as it has settings, which is the shortest that has every change
in both directions, and it ends where it began.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from settings import SettingsError, Workspace
from settings.load import parse

Document = dict[str, Any]
"""What a workspace file says."""

ACCOUNT = "123456789012"
ZONE = "Z0EXAMPLE0ORG"
BASE: Document = {
    "account_id": ACCOUNT,
    "region": "eu-west-1",
    "retain": False,
    "access": {"cidrs": ["192.0.2.0/24"]},
    "network": {"nat_gateways": "single"},
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting by its dotted `key`, and its values: `off`, with which a chain begins, and `on`."""

    name: str
    key: str
    off: Any = None
    on: Any = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Step:
    """`setting` is turned on or off, which gives `document`."""

    setting: Setting
    turned_on: bool
    document: Document

    @property
    def name(self) -> str:
        """For people and folders, such as `nlb-on`."""
        return f"{self.setting.name}-{'on' if self.turned_on else 'off'}"


@dataclass(frozen=True, kw_only=True)
class Chain:
    """`settings` that are changed one after the other; `base` is what its workspaces have besides `BASE`."""

    number: int
    about: str
    settings: Sequence[Setting]
    base: Mapping[str, Any] = field(default_factory=dict)

    @property
    def workspace(self) -> str:
        """The name of its workspace."""
        return f"changes-{self.number}"

    @property
    def first(self) -> Document:
        """What is deployed before the first step: every setting is off."""
        document = {**copy.deepcopy(BASE), **copy.deepcopy(dict(self.base))}
        for setting in self.settings:
            document = _changed(document, setting.key, setting.off) or document
        return document

    def steps(self) -> list[Step]:
        """All steps, in order.

        Raises:
            ValueError: a change is never allowed.
        """
        document, steps = self.first, list[Step]()
        waiting = [(setting, on) for on in (True, False) for setting in self.settings]
        is_on: set[str] = set()
        while waiting:
            for setting, on in waiting:
                inside = {key for key in is_on if key.startswith(f"{setting.key}.")}
                if not on and (setting.key not in is_on or inside):
                    continue
                changed = _changed(document, setting.key, setting.on if on else setting.off)
                if changed is not None and self.settings_of(changed):
                    break
            else:
                raise ValueError(f"chain {self.number} cannot turn {' or '.join(each.name for each, _ in waiting)}")
            document = changed
            waiting.remove((setting, on))
            is_on ^= {setting.key}
            steps.append(Step(setting=setting, turned_on=on, document=document))
        return steps

    def settings_of(self, document: Document) -> Workspace | None:
        """The workspace that a document is; None if it is refused."""
        try:
            return parse(yaml.safe_dump(document), self.workspace, "a step")
        except SettingsError:
            return None


def _changed(document: Document, key: str, value: Any) -> Document | None:
    """A copy in which `key` has `value`; None where the section of the key is not there."""
    made = copy.deepcopy(document)
    *sections, last = key.split(".")
    at: Any = made
    for section in sections:
        at = at.setdefault(section, {})
        if not isinstance(at, dict):
            return None
    # Where the default is that a section is there, null says that it is not.
    at[last] = copy.deepcopy(value)
    return made


_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key"
_CERTIFICATE = f"arn:aws:acm:eu-west-1:{ACCOUNT}:certificate/11111111-2222-3333-4444-555555555555"
_PACKAGE = f"omero-gallery==3.4.3 --hash=sha256:{'0' * 64}"

_PROVIDER = "https://login.example.org/realms/hospital"
_SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret"
SIGN_IN: Document = {
    "issuer": _PROVIDER,
    "authorization_endpoint": f"{_PROVIDER}/auth",
    "token_endpoint": f"{_PROVIDER}/token",
    "userinfo_endpoint": f"{_PROVIDER}/userinfo",
    "client_id": "omero-web",
    "client_secret_arn": f"{_SECRET}:omero-sign-in-client-a1B2c3",
    "single_sign_on": {
        "user_claim": "preferred_username",
        "account": "sign-in",
        "password_arn": f"{_SECRET}:omero-sign-in-account-a1B2c3",
    },
}

LAUNCH_TYPE = Setting(name="ec2", key="omero.server.launch_type", off="FARGATE", on="EC2")
READ_ONLY = Setting(name="read-only", key="omero.read_only", on={"count": 1})
NLB = Setting(name="nlb", key="access.server", on={"cidrs": ["198.51.100.0/24"]})

CHAINS: tuple[Chain, ...] = (
    Chain(
        number=1,
        about="the servers, with a read-only one: launch type",
        settings=(LAUNCH_TYPE,),
        base={"omero": {"read_only": {"count": 1}, "web": {"sessions": None}}},
    ),
    Chain(
        number=2,
        about="how people get in: TLS, certificate, sign-in, balancers, sessions, web tasks, read-only servers",
        settings=(
            Setting(name="tls", key="tls", on={"domain_name": "omero.example.org", "hosted_zone_id": ZONE}),
            Setting(name="certificate", key="tls.certificate_arn", on=_CERTIFICATE),
            Setting(name="sign-in", key="sign_in", on=SIGN_IN),
            Setting(name="internal", key="access.internal", off=False, on=True),
            Setting(name="sessions", key="omero.web.sessions", on={"replicas": 0}),
            Setting(name="replicas", key="omero.web.sessions.replicas", off=0, on=1),
            Setting(name="scaling", key="omero.web.max_count", on=4),
            READ_ONLY,
            NLB,
        ),
    ),
    Chain(
        number=3,
        about="the ways in: File Gateway, upload hosts, DataSync, SFTP, own and existing buckets, arrivals; own images",
        settings=(
            Setting(name="gateway", key="file_gateway"),
            Setting(name="upload-host", key="upload_host"),
            Setting(name="datasync", key="datasync"),
            Setting(name="bucket", key="datasync.bucket", on="example-incoming"),
            Setting(name="sftp", key="sftp", on={"cidrs": ["198.51.100.0/24"]}),
            Setting(name="arrivals", key="arrivals"),
            Setting(name="images", key="images", on={"web": {"packages": [_PACKAGE]}}),
        ),
        base={"omero": {"server": {"launch_type": "EC2"}, "web": {"sessions": None}}},
    ),
    Chain(
        number=4,
        about="sizes and versions: tasks, instances, database, images, NAT gateways, flow logs, backups",
        settings=(
            Setting(
                name="image",
                key="omero.server.image",
                off="openmicroscopy/omero-server:5.6.17",
                on="openmicroscopy/omero-server:5.6.18",
            ),
            Setting(name="memory", key="omero.server.memory_mib", off=8192, on=10240),
            Setting(
                name="instances",
                key="omero.ec2",
                off={"instance_type": "m5.xlarge"},
                on={"instance_type": "m5.2xlarge"},
            ),
            Setting(name="web-size", key="omero.web.cpu", off=1024, on=2048),
            Setting(name="web-count", key="omero.web.count", off=2, on=3),
            Setting(name="database", key="data.database.instance_class", off="db.t3.medium", on="db.m5.large"),
            Setting(name="multi-az", key="data.database.multi_az", off=False, on=True),
            Setting(name="backup", key="data.backup"),
            Setting(name="nat", key="network.nat_gateways", off="single", on="one_per_zone"),
            Setting(name="flow-logs", key="network.flow_logs"),
            Setting(name="dashboard", key="omero.dashboard", off=False, on=True),
        ),
        base={
            "omero": {"server": {"launch_type": "EC2", "cpu": 2048}, "web": {"sessions": None, "memory_mib": 4096}},
            # Else the next plan has the change until Sunday, and is not empty.
            "data": {"database": {"apply_changes": "immediately"}},
        },
    ),
)
"""Chain 1 is the cheapest with a change of the launch type."""
