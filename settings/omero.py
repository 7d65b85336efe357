"""Section `omero`: the containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from settings import ec2, fargate
from settings.fields import (
    Distinct,
    Email,
    Fault,
    Like,
    OmeroUser,
    PinnedImage,
    RetentionDays,
    SecretArn,
    Settings,
    rule,
)
from settings.ldap import Ldap
from settings.login import Downloads, Login, Public
from settings.mail import Mail
from settings.memory import IMPORTER_MIB, LEAST_IMPORTER_MIB, MOST_IMPORTER_MIB, least_task_mib
from settings.omero_defaults import (
    CONNECTIONS,
    CONNECTIONS_A_FILESET,
    FILESETS,
    INSTANCE_TYPE,
    INSTANCES,
    MOST_CONNECTIONS,
    OTHERS_CONNECTIONS,
    READ_ONLY_SIZE,
    SERVER_SIZE,
    with_defaults,
)
from settings.pins import ServerImage
from settings.properties import Lists, Secrets, Values
from settings.properties import faults as property_faults
from settings.site import Sections, SiteProperties, merged
from settings.web_apps import App, switched_on

LaunchType = Literal["FARGATE", "EC2"]


def _instance_type(value: str) -> str:
    if fault := ec2.unknown(value):
        raise ValueError(fault)
    return value


def _fargate_faults(cpu: int, memory_mib: int) -> Iterator[Fault]:
    if fault := fargate.refusal(cpu, memory_mib):
        key = fault.split()[0]
        yield key, fault.removeprefix(f"{key} ")


class Ec2(Settings):
    """The instances of the launch type EC2, in an Auto Scaling group that ECS scales to fit its tasks."""

    instance_type: Annotated[str, AfterValidator(_instance_type)] = INSTANCE_TYPE
    """EC2 instance type; m5.xlarge has 4 vCPUs and 16 GiB. Log in by Session Manager; there is no key pair."""
    max_instances: Annotated[int, Field(ge=1, le=20)] = INSTANCES
    """Maximum number of instances. ECS runs as many as its tasks need. Left out, 2, or as many as hold all
    servers if they are more."""
    volume_gib: Annotated[int, Field(ge=30, le=16384)] = 60
    """Size in GiB of an instance's encrypted gp3 volume, for container images and the server's temporary files."""


class Server(Settings):
    """OMERO.server: one read-write task."""

    launch_type: LaunchType = "FARGATE"
    """Where the servers run; left out, FARGATE, or EC2 if the servers mount a share. OMERO.web always runs on
    Fargate."""
    image: ServerImage = "openmicroscopy/omero-server:5.6.18"
    """Container image of the server and of the read-only servers."""
    cpu: int = SERVER_SIZE[0]
    """CPU units; 1,024 are one vCPU. Left out, 4096, or 2048 with read-only servers or a share."""
    memory_mib: int = SERVER_SIZE[1]
    """MiB of memory for the server and the importer beside it. The Java heaps are derived from it: of 10,240 MiB, Blitz
    has 4,608. Left out, 10240, or 5120 with read-only servers or a share, and more for an importer of more than 1536;
    or the next that Fargate offers with `cpu`, or what an instance leaves for tasks."""
    database_connections: Annotated[int, Field(ge=OTHERS_CONNECTIONS + CONNECTIONS_A_FILESET, le=MOST_CONNECTIONS)] = (
        CONNECTIONS
    )
    """Size of the server's database pool: 2 for each fileset imported at once, and at least 10 for users."""
    properties: Values = Field(default_factory=dict)
    """Properties of OMERO.server by their own names, such as `omero.search.cron`. Read-only servers have them too."""
    secret_properties: Secrets = Field(default_factory=dict)
    """ARNs of secrets that hold the values of properties, by their names. They are encrypted with the data key."""

    @rule
    def _properties_fit(self) -> Iterator[Fault]:
        yield from property_faults("server", self.properties, {}, self.secret_properties)


class ReadOnly(Settings):
    """Read-only servers: they share the read-write server's container image, launch type and data, and cannot write."""

    count: Annotated[int, Field(ge=1, le=20)] = 1
    """Number of servers. Each has its own name, because a session stays on the server where it began."""
    cpu: int = READ_ONLY_SIZE[0]
    """CPU units of each; 1,024 are one vCPU."""
    memory_mib: int = READ_ONLY_SIZE[1]
    """MiB of memory of each. Left out, 4096, or the next that Fargate offers with `cpu`."""


class Sessions(Settings):
    """A Valkey cache (ElastiCache) that all web containers keep their sessions in."""

    node_type: Annotated[str, Like(r"cache\.[a-z0-9]+\.[a-z0-9]+", "ElastiCache node type", "cache.t4g.micro")] = (
        "cache.t4g.micro"
    )
    """ElastiCache node type; the smallest holds the sessions of thousands of users."""
    replicas: Annotated[int, Field(ge=0, le=5)] = 1
    """Replicas in other Availability Zones: with one, sessions survive the outage of a zone, but for those of the last
    moment. With none, everyone logs in again after it."""


class Web(Settings):
    """OMERO.web: several identical tasks behind the load balancer."""

    image: PinnedImage = "openmicroscopy/omero-web-standalone:5.31.1"
    """Container image of the web application."""
    cpu: int = 2048
    """CPU units; 1,024 are one vCPU."""
    memory_mib: int = Field(default_factory=lambda given: fargate.enough(given["cpu"], 4096))
    """MiB of memory. Left out, 4096, or the next that Fargate offers with `cpu`."""
    count: Annotated[int, Field(ge=1, le=20)] = 2
    """Number of tasks; with `max_count`, the minimum."""
    max_count: Annotated[int, Field(ge=1, le=20)] | None = None
    """Maximum number of tasks: ECS starts more above 60 % CPU, or above 4,000 requests a minute and task for each vCPU.
    Left out, `count` tasks run at all times."""
    sessions: Sessions | None = Sessions()
    """Left out, a small cache in two Availability Zones; with `null`, each session lives in one container and ends
    with it."""
    apps: Annotated[tuple[App, ...], Distinct()] | None = None
    """The apps of the image that are switched on; left out, those that it switches on itself: all but fpbioimage."""
    properties: Values = Field(default_factory=dict)
    """Properties of OMERO.web and its apps by their own names, such as `omero.web.page_size`: text, numbers, lists, or
    keys and values, which become the JSON that OMERO wants."""
    append: Lists = Field(default_factory=dict)
    """Entries for OMERO's lists, such as `omero.web.apps` or `omero.web.ui.top_links`, after those of the image."""
    secret_properties: Secrets = Field(default_factory=dict)
    """ARNs of secrets that hold the values of properties, by their names. They are encrypted with the data key."""

    @rule
    def _properties_fit(self) -> Iterator[Fault]:
        yield from property_faults("web", self.properties, self.append, self.secret_properties)

    @rule
    def _offered(self) -> Iterator[Fault]:
        yield from _fargate_faults(self.cpu, self.memory_mib)

    @rule
    def _room_to_scale(self) -> Iterator[Fault]:
        if self.max_count is not None and self.max_count < self.count:
            yield "max_count", f"{self.max_count} is below count {self.count}; give {self.count} or more"

    @property
    def most(self) -> int:
        """The most tasks there may be outside a deployment."""
        return self.max_count or self.count


class Importer(Settings):
    """The container beside the server that imports images."""

    memory_mib: Annotated[int, Field(ge=LEAST_IMPORTER_MIB, le=MOST_IMPORTER_MIB)] = IMPORTER_MIB
    """MiB of the server's `memory_mib` that are the importer's; its JVM has a heap of 512 less."""
    parallel_filesets: Annotated[int, Field(ge=1, le=FILESETS)] = FILESETS
    """Number of filesets imported at once, at most 4: OMERO has 5 threads for imports, and one has to stay free. Left
    out, 4, or fewer if `server.database_connections` requires it."""
    admin: OmeroUser = "root"
    """The OMERO user that imports, and acts for others: an administrator with at least the privileges Sudo, ReadSession
    (to tell its own imports), Chgrp (to hide images that reach for others' files), WriteFile and WriteManagedRepo. An
    administrator with restricted privileges that was made in OMERO.web has no ReadSession."""
    password_arn: SecretArn | None = None
    """ARN of the secret with that user's password, encrypted with the data key; left out, the secret with the initial
    root password."""
    alarm_emails: Annotated[tuple[Email, ...], Field(max_length=20), Distinct(str.casefold)] = ()
    """Addresses that are notified when the importer has been silent for 5 minutes, and when arrivals need a person.
    Each gets an e-mail from AWS to confirm first. Left out, nobody is notified: the topic's ARN is an output."""

    @rule
    def _has_a_password(self) -> Iterator[Fault]:
        if self.admin != "root" and self.password_arn is None:
            yield "password_arn", f"admin {self.admin} needs a password; give the ARN of the secret that holds it"


class Omero(Settings):
    """The containers and their logs."""

    server: Server = Server()
    """The read-write server."""
    read_only: ReadOnly | None = None
    """Read-only servers; left out, none, or one with a topology that has them."""
    ec2: Ec2 | None = None
    """For the launch type EC2; left out, up to two m5.xlarge instances."""
    web: Web = Web()
    """The web application."""
    importer: Importer = Importer()
    """What imports images."""
    ldap: Ldap | None = None
    """A directory whose people log in with their password there; left out, OMERO's own accounts alone."""
    mail: Mail | None = None
    """How OMERO.server sends mail; left out, it sends none."""
    public: Public | None = None
    """People without an account; left out, everybody logs in."""
    login: Login | None = None
    """How long people stay logged in; left out, as OMERO has it."""
    downloads: Downloads | None = None
    """What people may download; left out, as OMERO has it."""
    log_retention_days: RetentionDays = 365
    """Days for which the logs of the containers and of ECS Exec are kept; with `retain: true`, even after the stack is
    destroyed."""
    dashboard: bool = True
    """True creates a CloudWatch dashboard of the load balancer, containers, instances and database."""
    access_log_retention_days: Annotated[int, Field(ge=1, le=3653)] = 365
    """Days for which the access logs of OMERO.web's load balancer are kept in their bucket. The balancer of
    `access.server` has none, because AWS logs TLS listeners only and OMERO's own TLS passes through;
    `network.flow_logs` records who connects."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_follow(cls, values: Any) -> Any:
        """What is left out and depends on other sections."""
        return with_defaults(values) if isinstance(values, dict) else values

    @rule
    def _server_has_room(self) -> Iterator[Fault]:
        yield from self._size_faults("server", self.server)

    @rule
    def _read_only_servers_have_room(self) -> Iterator[Fault]:
        if self.read_only:
            yield from self._size_faults("read_only", self.read_only)

    @rule
    def _instances_hold_all_servers(self) -> Iterator[Fault]:
        """ECS would wait for room for ever, and the deployment with it."""
        if not self.ec2 or any(self._server_has_room()) or any(self._read_only_servers_have_room()):
            return
        readers = self.read_only.count if self.read_only else 0
        needed = ec2.instances_needed(
            ec2.INSTANCE_TYPES[self.ec2.instance_type],
            (self.server.cpu, self.server.memory_mib),
            (self.read_only.cpu, self.read_only.memory_mib) if self.read_only else None,
            readers,
        )
        if needed > self.ec2.max_instances:
            yield (
                "ec2.max_instances",
                f"{self.ec2.max_instances} of {self.ec2.instance_type} cannot hold 1 read-write and {readers} "
                f"read-only servers; give {needed} or more, a larger instance_type, or fewer servers",
            )

    @rule
    def _the_database_has_room(self) -> Iterator[Fault]:
        """The people who look at images need their connections too."""
        filesets, connections = self.importer.parallel_filesets, self.server.database_connections
        needed = CONNECTIONS_A_FILESET * filesets
        if needed > connections - OTHERS_CONNECTIONS:
            yield (
                "importer.parallel_filesets",
                f"{filesets} need {needed} database connections, and server.database_connections {connections} leaves "
                f"{connections - OTHERS_CONNECTIONS} after {OTHERS_CONNECTIONS} for users; lower it, or set "
                f"server.database_connections to {needed + OTHERS_CONNECTIONS} or more",
            )

    @rule
    def _public_is_read_only(self) -> Iterator[Fault]:
        if self.public and self.read_only is None:
            yield "public", "needs a server that cannot write; give the section read_only too"

    @rule
    def _properties_are_nobodys(self) -> Iterator[Fault]:
        sections = self._sections
        for side, own in (("server", sections.server()), ("web", self._of_web)):
            part = self.server if side == "server" else self.web
            for key in ("properties", "secret_properties"):
                yield from sections.faults(f"{side}.{key}", iter(getattr(part, key)), own)

    @property
    def _sections(self) -> Sections:
        return Sections(ldap=self.ldap, mail=self.mail, public=self.public, login=self.login, downloads=self.downloads)

    @property
    def server_properties(self) -> SiteProperties:
        """What the servers are given of OMERO's own properties."""
        sections, server = self._sections, self.server
        return merged(sections.server(), sections.secrets(), server.properties, {}, server.secret_properties)

    @property
    def web_properties(self) -> SiteProperties:
        """What OMERO.web is given of OMERO's own properties."""
        web = self.web
        return merged(self._of_web, self._sections.secrets(), web.properties, web.append, web.secret_properties)

    @property
    def _of_web(self) -> Mapping[str, Mapping[str, str]]:
        """What OMERO.web is given by others than its properties."""
        apps = self.web.apps
        return {**({} if apps is None else {"omero.web.apps": switched_on(apps)}), **self._sections.web()}

    def _size_faults(self, key: str, size: Server | ReadOnly) -> Iterator[Fault]:
        on_fargate = self.server.launch_type == "FARGATE"
        importer_mib = 0 if isinstance(size, ReadOnly) else self.importer.memory_mib
        what = f"OMERO.server beside an importer of {importer_mib} MiB" if importer_mib else "OMERO.server"
        least = least_task_mib(importer_mib)
        if on_fargate and max(fargate.MEMORY_MIB.get(size.cpu, (least,))) < least:
            larger = min(cpu for cpu, sizes in fargate.MEMORY_MIB.items() if sizes[-1] >= least)
            yield (
                f"{key}.cpu",
                f"{size.cpu} is not enough for {what}, which needs {least} MiB of memory; give {larger} or more",
            )
        elif size.memory_mib < least:
            yield (
                f"{key}.memory_mib",
                f"{size.memory_mib} is not enough for {what}; give {least} or more, so that its Java heaps fit",
            )
        elif on_fargate:
            yield from ((f"{key}.{name}", said) for name, said in _fargate_faults(size.cpu, size.memory_mib))
        elif self.ec2 and (fault := ec2.refusal(size.cpu, size.memory_mib, self.ec2.instance_type)):
            name = fault.split()[0]
            yield f"{key}.{name}", fault.removeprefix(f"{name} ")
