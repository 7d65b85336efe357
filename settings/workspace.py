"""The model of a workspace file: all that decides what is deployed, and nothing else."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, Field, model_validator

from settings import addresses
from settings.access import Access, Tls
from settings.appstream import AppStream
from settings.arrivals import Arrivals
from settings.data import Data
from settings.datasync import DataSync
from settings.fields import AccountId, BucketName, Distinct, Fault, Like, Region, Settings, accepted, listed, rule
from settings.file_gateway import FileGateway
from settings.images import Images
from settings.network import Network
from settings.omero import Omero
from settings.omero_defaults import with_defaults
from settings.paths import DATA_DIR
from settings.section import Section
from settings.sftp import Sftp
from settings.share import Share
from settings.sign_in import SignIn
from settings.tags import MOST, Tags, not_for_datasync
from settings.topology import TOPOLOGIES, Traits
from settings.upload_host import UploadHost

NAME_PATTERN = r"[a-z][a-z0-9-]{0,14}[a-z0-9]"
NAME_RULE = (
    "2 to 16 lower-case letters, digits and hyphens, beginning with a letter and not ending in a hyphen; "
    "`default` is Terraform's own"
)

LARGEST_TAKERS = "omero.read_only.count, omero.web.count or appstream.fleet.sessions"
"""What to lower where addresses are short, for messages."""

T = TypeVar("T")


def is_workspace_name(name: str) -> bool:
    """Whether `name` fits every physical name that is built from it (a balancer's has 32 characters).

    Terraform keeps the state of its workspace `default` under another key than that of all others.
    """
    return name != "default" and re.fullmatch(NAME_PATTERN, name) is not None


def _topology(value: str) -> str:
    if value not in TOPOLOGIES:
        raise ValueError(f"{value} is not a topology; allowed: {listed(TOPOLOGIES)}")
    return value


class State(Settings):
    """The S3 bucket and the DynamoDB table of Terraform's state and locks. Defaults are derived from account and
    region."""

    bucket: BucketName | None = None
    """S3 bucket of the state; left out, `omero-state-<account>-<region>`."""
    table: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")] | None = None
    """DynamoDB table of the locks; left out, `omero-state-<account>-<region>`."""
    region: Region | None = None
    """Region of both; left out, the workspace's."""


WITH_PASSWORDS = ("importer", "ldap", "mail", "public")
"""Sections of `omero` that name a secret."""


class Workspace(Settings):
    """One deployment of OMERO."""

    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN}$", exclude=True)]
    """The file's name without `.yaml`; never written in the file."""
    account_id: AccountId
    """The AWS account; Terraform refuses to touch any other."""
    region: Region
    """The AWS region, for instance eu-west-1."""
    topology: Annotated[str, AfterValidator(_topology), Field(json_schema_extra={"enum": list(TOPOLOGIES)})] | None = (
        None
    )
    """The name of a combination of sections, which refuses all others; left out, the sections alone decide."""
    access: Access
    """Who may reach OMERO. With `server`, clients such as OMERO.insight reach OMERO.server through a Network Load
    Balancer."""
    tls: Tls | None = None
    """OMERO.web's domain name and its certificate; left out, OMERO.web is on HTTP, under its load balancer's DNS
    name."""
    sign_in: SignIn | None = None
    """An identity provider (OpenID Connect) at which people sign in before they reach OMERO.web; left out, there is
    only OMERO's own log-in."""
    share: Share | None = None
    """The NFS share of an existing S3 File Gateway, which the servers mount; left out, none."""
    file_gateway: FileGateway | None = None
    """An S3 File Gateway and its bucket. The servers mount its share, unless the topology has no share: then only
    upload hosts do."""
    upload_host: UploadHost | None = None
    """Hosts with OMERO's command line; left out, none."""
    datasync: DataSync | None = None
    """A bucket whose objects become files under /OMERO; left out, none."""
    appstream: AppStream | None = None
    """OMERO.insight in a browser, created by `omero-aws appstream ensure`; left out, none."""
    sftp: Sftp | None = None
    """A folder under /OMERO that senders deliver into by SFTP (`omero-aws sftp`); left out, none."""
    arrivals: Arrivals | None = None
    """Folders whose images are imported without anybody asking for it; left out, none."""
    images: Images | None = None
    """Container images of one's own, built by `omero-aws images`; left out, none."""
    retain: bool = True
    """True keeps the data when stacks are destroyed: deletion protection, and Terraform refuses to destroy the data.
    Logs stay as long as their retention says. False is for rehearsals: everything is deleted."""
    forget: Annotated[
        tuple[
            Annotated[
                str,
                Like(
                    r"[a-z_]+\.aws_[a-z0-9_]+\.[A-Za-z0-9_-]+",
                    "address of a resource: <stack>.<type>.<name>",
                    "data.aws_backup_vault.backup_vault",
                ),
            ],
            ...,
        ],
        Field(max_length=100),
        Distinct(),
    ] = ()
    """Resources that the next deployment stops managing without destroying them: they stay in AWS. List those that
    `deploy` names because the settings no longer have them; left out, none."""
    tags: Annotated[Tags, Field(max_length=MOST, default_factory=dict)]
    """Additional tags for every resource, for instance a cost centre."""
    state: State = State()
    """The bucket and the table of Terraform's state."""
    network: Network = Network()
    """The VPC."""
    data: Data = Data()
    """File system, database and backups."""
    omero: Omero = Omero()
    """Server and web containers."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_traits(cls, values: Any) -> Any:
        """What is left out and depends on the topology, or on which sections there are."""
        omero = values.get("omero", {}) if isinstance(values, dict) else None
        if not isinstance(omero, dict):
            return values
        traits = _preset(values) or _traits(values)
        if traits.read_only:
            omero = {"read_only": {}, **omero}
        omero = with_defaults(omero, launch_type=traits.launch_types[0], size=traits.server_size)
        return {**values, "omero": omero}

    @rule
    def _sections_of_the_topology(self) -> Iterator[Fault]:
        """Sections that the named topology lacks, or has no use for."""
        if not self.topology:
            return
        wanted, given = TOPOLOGIES[self.topology], self._given
        for trait, key in (("tls", "tls"), ("nlb", "access.server"), ("read_only", "omero.read_only")):
            if getattr(wanted, trait) and not getattr(given, trait):
                yield key, f"topology {self.topology} needs this section; add it, or choose another topology"
            if getattr(given, trait) and not getattr(wanted, trait):
                yield (
                    key,
                    f"topology {self.topology} does not use this section; remove it, or choose another topology",
                )
        if self.share and not wanted.share:
            yield (
                "share",
                f"topology {self.topology} does not use this section, because its servers mount no share; remove "
                "it, or choose another topology",
            )
        if wanted.share and not given.share:
            yield (
                "share",
                f"topology {self.topology} needs this section (an existing gateway) or file_gateway (a new one); "
                "add one of them, or choose another topology",
            )

    @rule
    def _one_share(self) -> Iterator[Fault]:
        if self.share and self.file_gateway:
            yield "share", "this gateway exists, and file_gateway would create another; remove share, or file_gateway"

    @rule
    def _launch_type_fits_a_share(self) -> Iterator[Fault]:
        launch_type = self.omero.server.launch_type
        if launch_type not in self.traits.launch_types:
            yield (
                "omero.server.launch_type",
                f"{launch_type} cannot be used with a share, because Fargate cannot mount one; remove it, or set "
                f"{listed(self.traits.launch_types)}",
            )

    @rule
    def _instances_have_servers(self) -> Iterator[Fault]:
        if self.omero.server.launch_type != "EC2" and self.omero.ec2:
            yield "omero.ec2", "EC2 instances need omero.server.launch_type: EC2; set that, or remove omero.ec2"

    @property
    def secret_arns(self) -> Mapping[str, str]:
        """The secrets that the workspace names, by the key that names each."""
        keys = ("sign_in.client_secret_arn", "sign_in.single_sign_on.password_arn")
        named = {key: self.at(key) for key in (*keys, *(f"omero.{part}.password_arn" for part in WITH_PASSWORDS))}
        for side in ("server", "web"):
            given = self.at(f"omero.{side}.secret_properties") or {}
            named |= {f"omero.{side}.secret_properties.{name}": arn for name, arn in given.items()}
        return {key: arn for key, arn in named.items() if arn}

    @rule
    def _arns_are_of_the_region(self) -> Iterator[Fault]:
        arns = {
            "data.key_arn": self.at("data.key_arn"),
            "tls.certificate_arn": self.at("tls.certificate_arn"),
            **self.secret_arns,
            **self._answers(lambda part: part.arns()),
        }
        for key, arn in arns.items():
            if arn and arn.split(":")[3] != self.region:
                yield (
                    key,
                    f"the ARN is in region {arn.split(':')[3]}, and the workspace is in {self.region}; give one in "
                    f"{self.region}",
                )

    @rule
    def _signs_in_over_https(self) -> Iterator[Fault]:
        """Only an HTTPS listener authenticates (API reference, AuthenticateOidcActionConfig)."""
        if self.sign_in and not self.tls:
            yield "sign_in", "a load balancer signs people in over HTTPS only; add the section tls, or remove this one"

    @rule
    def _the_log_in_page_is_one(self) -> Iterator[Fault]:
        if self.sign_in and self.sign_in.single_sign_on:
            for key in ("properties", "secret_properties"):
                if "omero.web.login_view" in (self.at(f"omero.web.{key}") or {}):
                    yield (
                        f"omero.web.{key}.omero.web.login_view",
                        "is set by sign_in.single_sign_on; leave one of them out",
                    )

    @rule
    def _keys_of_the_balancer_are_known(self) -> Iterator[Fault]:
        """Where China's are, AWS's guide does not say."""
        if self.sign_in and self.sign_in.single_sign_on and self.region.startswith("cn-"):
            yield (
                "sign_in.single_sign_on",
                f"AWS does not document where the public keys of load balancers in {self.region} are; remove it",
            )

    @rule
    def _tags_suit_datasync(self) -> Iterator[Fault]:
        if self.datasync:
            yield from (("tags", fault) for fault in not_for_datasync(self.tags))

    @rule
    def _folders_keep_apart(self) -> Iterator[Fault]:
        """What is copied below a sender's folder could be the sender's to delete."""
        folders = self._answers(lambda part: part.folders()).items()
        for (key, folder), (other_key, other) in itertools.combinations(folders, 2):
            if f"{folder}/".startswith(f"{other}/") or f"{other}/".startswith(f"{folder}/"):
                yield key, f"{folder} and {other_key} {other} overlap; give folders that do not contain each other"

    @rule
    def _watched_folders_are_seen(self) -> Iterator[Fault]:
        """By the servers; a hard link needs its file on their own file system (link(2), EXDEV)."""
        share = self._share_of_servers
        for index, folder in accepted((self.arrivals and self.arrivals.folders) or ()):
            on_share = bool(share) and f"{folder.path}/".startswith(f"{share}/")
            if not on_share and not folder.path.startswith(f"{DATA_DIR}/"):
                seen = f"{DATA_DIR}/... or {share}/..." if share else f"{DATA_DIR}/..."
                yield (
                    f"arrivals.folders.{index}.path",
                    f"OMERO.server does not see {folder.path}; give a folder under {seen}",
                )
            if on_share and folder.transfer == "ln":
                yield (
                    f"arrivals.folders.{index}.transfer",
                    "ln makes hard links, which do not reach a File Gateway's share; remove it (ln_s), or set cp",
                )

    @rule
    def _something_is_watched(self) -> Iterator[Fault]:
        watched = self.arrivals is None or self.arrivals.folders
        if not watched and not self.sftp and not self.datasync and not self._share_of_servers:
            yield "arrivals", "the workspace has no sftp, datasync or share whose folder could be watched; add folders"

    @rule
    def _addresses_suffice(self) -> Iterator[Fault]:
        offered = self.network.private_addresses
        if offered is not None and self.addresses > offered:
            yield (
                "network.private_subnets",
                f"{offered} addresses are not enough, because the containers, the database and the rest need "
                f"{self.addresses}; give larger subnets, or lower {LARGEST_TAKERS}",
            )

    def _answers(self, ask: Callable[[Section], Mapping[str, T]]) -> dict[str, T]:
        """What the sections answer, by the key in the workspace; a section with a fault in it may have no answer."""
        found: dict[str, T] = {}
        for key, part in self.sections.items():
            with suppress(AttributeError):
                found |= {f"{key}.{inner}": answer for inner, answer in ask(part).items()}
        return found

    @property
    def _share_of_servers(self) -> str | None:
        """Where the servers see a File Gateway's share; None if they mount none."""
        if not self.traits.share:
            return None
        found: str | None = self.at("share.mount_point") or self.at("file_gateway.mount_point")
        return found

    @property
    def _given(self) -> Traits:
        """The traits that the sections have, whatever the topology says."""
        return _traits({**dict(self), "access": {"server": self.access.server}, "omero": dict(self.omero)})

    @property
    def sections(self) -> dict[str, Section]:
        """The optional parts that are given, by key."""
        return {key: part for key, part in self if isinstance(part, Section)}

    @property
    def traits(self) -> Traits:
        """Those of the named topology, or what the sections make of it."""
        if self.topology:
            return TOPOLOGIES[self.topology]
        return self._given

    @property
    def addresses(self) -> int:
        """Private addresses that all of it takes at the worst moment."""
        return addresses.needed(self.omero, self.sections.values(), internal=self.access.internal, nlb=self.traits.nlb)

    @property
    def state_region(self) -> str:
        """Region of the state bucket and the lock table."""
        return self.state.region or self.region


def _preset(values: dict[str, Any]) -> Traits | None:
    return TOPOLOGIES.get(str(values.get("topology")))


def _traits(values: Mapping[str, Any]) -> Traits:
    """The traits that sections have, as they are written or validated: `null` is as good as left out."""

    def given(*path: str) -> bool:
        at: Any = values
        for key in path:
            at = at.get(key) if isinstance(at, Mapping) else None
        return at is not None

    return Traits(
        tls=given("tls"),
        nlb=given("access", "server"),
        read_only=given("omero", "read_only"),
        share=given("share") or given("file_gateway"),
    )


def section_models() -> dict[str, type[Section]]:
    """Every optional part that a workspace may have, by key."""
    return {
        key: option
        for key, field in Workspace.model_fields.items()
        for option in get_args(field.annotation)
        if isinstance(option, type) and issubclass(option, Section)
    }
