"""The model of a workspace file: all that decides what is deployed, and nothing else."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from settings import names
from settings.access import Access, Tls
from settings.data import Data
from settings.fields import AccountId, BucketName, Region, Settings, listed
from settings.network import Network
from settings.omero import Omero
from settings.topology import TOPOLOGIES, Topology

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

    @model_validator(mode="after")
    def _sections_fit_the_topology(self) -> Self:
        wanted = {"tls": (self.traits.tls, self.tls), "access.server": (self.traits.nlb, self.access.server)}
        faults = [
            f"topology {self.topology} needs the section {key}; give it, or choose another topology"
            if wants
            else f"topology {self.topology} has no use for the section {key}; leave it out, or choose another topology"
            for key, (wants, given) in wanted.items()
            if wants != (given is not None)
        ]
        if faults:
            raise ValueError("; ".join(faults))
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
