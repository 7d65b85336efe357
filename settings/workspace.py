"""The model of a workspace file: all that decides what is deployed, and nothing else."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from settings import addresses, names
from settings.access import Access, Tls
from settings.appstream import AppStream
from settings.data import Data
from settings.datasync import DataSync
from settings.fields import AccountId, BucketName, Region, Settings, listed
from settings.file_gateway import FileGateway
from settings.network import Network
from settings.omero import Omero
from settings.omero_defaults import with_defaults
from settings.sftp import Sftp
from settings.share import Share
from settings.topology import TOPOLOGIES, Topology
from settings.upload_host import UploadHost

NAME_PATTERN = r"[a-z][a-z0-9-]{0,14}[a-z0-9]"
NAME_RULE = (
    "2 to 16 lower-case letters, digits and hyphens, beginning with a letter and not ending in a hyphen; "
    "`default` is Terraform's own"
)

# Tags that Terraform sets itself, so that every resource tells whose it is.
OWN_TAGS = ("Workspace", "Project", "Stack")


def is_workspace_name(name: str) -> bool:
    """Whether `name` fits every physical name that is built from it (a balancer's has 32 characters).

    Terraform keeps the state of its workspace `default` under another key than that of all others.
    """
    return name != "default" and re.fullmatch(NAME_PATTERN, name) is not None


def _topology(value: str) -> str:
    if value not in TOPOLOGIES:
        raise ValueError(f"{value} is no topology; allowed: {listed(TOPOLOGIES)}")
    return value


def _tags(value: dict[str, str]) -> dict[str, str]:
    for key in value:
        if key in OWN_TAGS or key.lower().startswith("aws:"):
            raise ValueError(f"the tag {key} is set by this program or AWS; choose another name")
    return value


class State(Settings):
    """Where Terraform's state and its locks are. All derive from account and region unless given."""

    bucket: BucketName | None = None
    """S3 bucket of the state; left out, `omero-state-<account>-<region>`."""
    table: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")] | None = None
    """DynamoDB table of the locks; left out, `omero-state-<account>-<region>`."""
    region: Region | None = None
    """Region of both; left out, the workspace's."""


class Workspace(Settings):
    """One deployment of OMERO."""

    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN}$", exclude=True)]
    """The file's name without `.yaml`; never written in the file."""
    account_id: AccountId
    """The AWS account; Terraform refuses to touch any other."""
    region: Region
    """The AWS region, for instance eu-west-1."""
    topology: Annotated[str, AfterValidator(_topology), Field(json_schema_extra={"enum": list(TOPOLOGIES)})]
    """Which row of the table of topologies is deployed."""
    access: Access
    """Who may reach OMERO."""
    tls: Tls | None = None
    """For topologies with TLS: OMERO.web's name and its certificate."""
    share: Share | None = None
    """For topologies with a share: that of an S3 File Gateway which is there already."""
    file_gateway: FileGateway | None = None
    """An S3 File Gateway that is made. The servers of topologies with a share mount it, and upload hosts do in any."""
    upload_host: UploadHost | None = None
    """Hosts with OMERO's command line; left out, none."""
    datasync: DataSync | None = None
    """A bucket whose objects become files below /OMERO; left out, there is none."""
    appstream: AppStream | None = None
    """OMERO.insight in a browser, which `pipenv run appstream ensure` makes; left out, there is none."""
    sftp: Sftp | None = None
    """Senders deliver by SFTP into a folder below /OMERO (`pipenv run sftp`); left out, there is none."""
    retain: bool = True
    """True keeps the data when stacks go: deletion protection, final snapshot, and `terraform destroy`
    refuses to take the data stack away. False is for rehearsals: everything goes."""
    tags: Annotated[dict[str, str], AfterValidator(_tags), Field(max_length=40, default_factory=dict)]
    """More tags for every resource, for instance a cost centre."""
    state: State = State()
    """Where Terraform's state is."""
    network: Network = Network()
    """The VPC."""
    data: Data = Data()
    """File system, database and backups."""
    omero: Omero = Omero()
    """Server and web containers."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_topology(cls, values: Any) -> Any:
        """What is left out and depends on the topology."""
        traits = TOPOLOGIES.get(str(values.get("topology"))) if isinstance(values, dict) else None
        omero = values.get("omero", {}) if traits else None
        if not traits or not isinstance(omero, dict):
            return values
        if traits.read_only:
            omero = {"read_only": {}, **omero}
        omero = with_defaults(omero, launch_type=traits.launch_types[0], size=traits.server_size)
        return {**values, "omero": omero}

    @model_validator(mode="after")
    def _sections_fit_the_topology(self) -> Self:
        traits, omero = self.traits, self.omero
        wanted = {
            "tls": (traits.tls, self.tls),
            "access.server": (traits.nlb, self.access.server),
            "omero.read_only": (traits.read_only, omero.read_only),
        }
        faults = [
            f"topology {self.topology} needs the section {key}; give it, or choose another topology"
            if wants
            else f"topology {self.topology} has no use for the section {key}; leave it out, or choose another topology"
            for key, (wants, given) in wanted.items()
            if wants != (given is not None)
        ]
        faults += self._share_faults()
        launch_type = omero.server.launch_type
        if launch_type not in traits.launch_types:
            faults.append(
                f"topology {self.topology} cannot have omero.server.launch_type {launch_type}, for Fargate mounts no "
                f"NFS share; leave it out, or say {listed(traits.launch_types)}"
            )
        if launch_type != "EC2" and omero.ec2:
            faults.append("omero.ec2 has no use without omero.server.launch_type: EC2; leave one of the two out")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _share_faults(self) -> list[str]:
        """One share in a topology with a share; in any other, a gateway that is made is for upload hosts."""
        if not self.traits.share:
            if not self.share:
                return []
            return [
                f"topology {self.topology} has no use for the section share, for no server mounts a share; leave it "
                "out, or choose another topology"
            ]
        given = [key for key, section in (("share", self.share), ("file_gateway", self.file_gateway)) if section]
        if not given:
            return [
                f"topology {self.topology} needs the section share (of a gateway that is there already) or "
                "file_gateway (one is made); give one of them, or choose another topology"
            ]
        if len(given) == 2:
            return ["share is a gateway that is there already, and file_gateway makes one; leave one of the two out"]
        return []

    @model_validator(mode="after")
    def _arns_are_of_the_region(self) -> Self:
        arns = {
            "data.key_arn": self.data.key_arn,
            "datasync.key_arn": self.datasync and self.datasync.key_arn,
            "tls.certificate_arn": self.tls and self.tls.certificate_arn,
            "file_gateway.bucket_key_arn": self.file_gateway and self.file_gateway.bucket_key_arn,
        }
        sources = self.upload_host.sources if self.upload_host else ()
        arns |= {f"upload_host.sources.{index}.key_arn": source.key_arn for index, source in enumerate(sources)}
        for key, arn in arns.items():
            if arn and arn.split(":")[3] != self.region:
                raise ValueError(
                    f"{key} is in the region {arn.split(':')[3]}, and the workspace in {self.region}; give one of there"
                )
        return self

    @model_validator(mode="after")
    def _ways_in_keep_apart(self) -> Self:
        """What is copied below a sender's folder could be the sender's to delete."""
        if self.sftp and self.datasync:
            ours, theirs = f"{self.sftp.folder}/", f"{self.datasync.folder}/"
            if ours.startswith(theirs) or theirs.startswith(ours):
                raise ValueError(
                    f"sftp.folder {self.sftp.folder} and datasync.folder {self.datasync.folder} are one in the other; "
                    "give folders apart"
                )
        return self

    @model_validator(mode="after")
    def _addresses_suffice(self) -> Self:
        offered = self.network.private_addresses
        needed = addresses.needed(self.omero, internal=self.access.internal, nlb=self.traits.nlb)
        needed += self.upload_host.count if self.upload_host else 0
        needed += addresses.FILE_GATEWAY if self.file_gateway else 0
        needed += addresses.DATASYNC if self.datasync else 0
        needed += addresses.SFTP * (2 if self.sftp.internal else 1) if self.sftp else 0
        needed += self.appstream.fleet.sessions if self.appstream and not self.appstream.fleet.subnet_ids else 0
        if offered is not None and needed > offered:
            raise ValueError(
                f"the containers, the database and the rest need {needed} addresses, and network.private_subnets have "
                f"{offered}; give larger subnets, or lower omero.read_only.count, omero.web.count "
                "or appstream.fleet.sessions"
            )
        return self

    @property
    def traits(self) -> Topology:
        """The topology's row."""
        return TOPOLOGIES[self.topology]

    @property
    def state_region(self) -> str:
        """Region of the state bucket and the lock table."""
        return self.state.region or self.region

    @property
    def state_bucket(self) -> str:
        """Name of the state bucket."""
        return self.state.bucket or names.state(self.account_id, self.state_region)

    @property
    def state_table(self) -> str:
        """Name of the lock table."""
        return self.state.table or names.state(self.account_id, self.state_region)
