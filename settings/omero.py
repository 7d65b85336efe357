"""Section `omero`: the containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from settings import ec2, fargate
from settings.fields import Fault, Like, PinnedImage, RetentionDays, Settings, rule
from settings.memory import IMPORTER_MIB, LEAST_MEMORY_MIB
from settings.omero_defaults import (
    CONNECTIONS,
    FILESETS,
    IMPORTERS,
    INSTANCE_TYPE,
    INSTANCES,
    MOST_CONNECTIONS,
    OTHERS_CONNECTIONS,
    READ_ONLY_SIZE,
    SERVER_SIZE,
    with_defaults,
)

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
    """The instances of the launch type EC2, in an autoscaling group that ECS scales by what its tasks need."""

    instance_type: Annotated[str, AfterValidator(_instance_type)] = INSTANCE_TYPE
    """EC2 instance type; m5.xlarge has 4 vCPUs and 16 GiB. Reached by Session Manager; there is no key pair."""
    max_instances: Annotated[int, Field(ge=1, le=20)] = INSTANCES
    """The most instances there may be. There are as many as the tasks need. Left out, 2, or as many as hold all
    servers if they are more."""
    volume_gib: Annotated[int, Field(ge=30, le=16384)] = 60
    """GiB of an instance's encrypted gp3 volume: images of the containers, and the server's temporary files."""


class Server(Settings):
    """OMERO.server: one read-write task."""

    launch_type: LaunchType = "FARGATE"
    """Where the servers run; left out, FARGATE, or EC2 in topologies with a share. OMERO.web is always on Fargate."""
    image: PinnedImage = "openmicroscopy/omero-server:5.6.18"
    """Container image of the server, the read-only ones' too."""
    cpu: int = SERVER_SIZE[0]
    """CPU units; 1,024 are one vCPU. Left out, 4096, or 2048 in topologies with read-only servers or a share."""
    memory_mib: int = SERVER_SIZE[1]
    """MiB of memory, from which the Java heaps are derived: of 10,240 MiB, Blitz has 4,736. Left out, 10240, or 4096 in
    those topologies; or what is nearest to it that Fargate has with `cpu`, or an instance leaves to tasks."""
    database_connections: Annotated[int, Field(ge=OTHERS_CONNECTIONS + 1, le=MOST_CONNECTIONS)] = CONNECTIONS
    """Size of the server's database pool, 10 above the number of filesets imported at once. Left out, 50, or as many as
    the importers need if they are more."""


class ReadOnly(Settings):
    """Read-only servers: they share the read-write one's image, launch type and images, and change nothing."""

    count: Annotated[int, Field(ge=1, le=20)] = 1
    """Number of servers. Each has a name of its own, for a session stays with the server it began on."""
    cpu: int = READ_ONLY_SIZE[0]
    """CPU units of each; 1,024 are one vCPU."""
    memory_mib: int = READ_ONLY_SIZE[1]
    """MiB of memory of each. Left out, 4096, or the nearest to it that Fargate has with `cpu`."""


class Sessions(Settings):
    """A Valkey cache (ElastiCache) in which all web containers find everyone's sessions."""

    node_type: Annotated[str, Like(r"cache\.[a-z0-9]+\.[a-z0-9]+", "node type of ElastiCache", "cache.t4g.micro")] = (
        "cache.t4g.micro"
    )
    """ElastiCache node type; the smallest holds the sessions of thousands."""
    replicas: Annotated[int, Field(ge=0, le=5)] = 1
    """Copies in other zones: with one, people stay logged in when a zone is lost."""


class Web(Settings):
    """OMERO.web: several equal tasks behind the load balancer."""

    image: PinnedImage = "openmicroscopy/omero-web-standalone:5.31.1"
    """Container image of the web application."""
    cpu: int = 2048
    """CPU units; 1,024 are one vCPU."""
    memory_mib: int = Field(default_factory=lambda given: fargate.nearest(given["cpu"], 4096))
    """MiB of memory. Left out, 4096, or the nearest to it that Fargate has with `cpu`."""
    count: Annotated[int, Field(ge=1, le=20)] = 2
    """Number of tasks; with `max_count`, the least there are."""
    max_count: Annotated[int, Field(ge=1, le=20)] | None = None
    """The most tasks there may be: more are started above 60 % CPU. Left out, there are always `count`."""
    sessions: Sessions | None = Sessions()
    """Left out, a small cache in two zones; `null` leaves each session in one container, and it ends with it."""

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
    """The tasks that import images: they run while `imports run` has something for them, and cost nothing else."""

    cpu: int = 2048
    """CPU units of each; 1,024 are one vCPU."""
    memory_mib: int = Field(default_factory=lambda given: fargate.nearest(given["cpu"], 4096))
    """MiB of memory of each; the importer's JVM takes 1,024 of them. Left out, 4096, or the nearest to it that Fargate
    has with `cpu`."""
    max_tasks: Annotated[int, Field(ge=1, le=50)] = IMPORTERS
    """The most that run at once, whoever started them. Left out, 4, or fewer if `database_connections` asks for it."""
    parallel_filesets: Annotated[int, Field(ge=1, le=32)] = FILESETS
    """Filesets that each imports at once. Left out, 4, or fewer if `database_connections` asks for it."""
    admin: Annotated[
        str,
        Like(r"[A-Za-z0-9_.@-]{1,64}", "name of an OMERO user: 1 to 64 letters, digits and _ . @ -", "importer"),
    ] = "root"
    """OMERO's user that imports, and acts for others: an administrator, of whom the privileges Sudo, WriteFile and
    WriteManagedRepo suffice."""
    password_arn: (
        Annotated[
            str,
            Like(
                r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:\S+",
                "ARN of a secret of Secrets Manager",
                "arn:aws:secretsmanager:eu-west-1:111122223333:secret:importer-a1B2c3",
            ),
        ]
        | None
    ) = None
    """The secret with that user's password, encrypted by the key of the data; left out, that of root's first one."""

    @rule
    def _offered(self) -> Iterator[Fault]:
        yield from _fargate_faults(self.cpu, self.memory_mib)

    @rule
    def _room_for_a_jvm(self) -> Iterator[Fault]:
        if self.memory_mib < (least := 2 * IMPORTER_MIB):
            yield "memory_mib", f"{self.memory_mib} is too little for an importer; give {least} or more"

    @rule
    def _has_a_password(self) -> Iterator[Fault]:
        if self.admin != "root" and self.password_arn is None:
            yield "password_arn", f"admin {self.admin} needs it, the secret with that user's password; give it"


class Omero(Settings):
    """The containers and their logs."""

    server: Server = Server()
    """The read-write server."""
    read_only: ReadOnly | None = None
    """For topologies with read-only servers; left out, one there."""
    ec2: Ec2 | None = None
    """For the launch type EC2; left out, up to two instances of m5.xlarge there."""
    web: Web = Web()
    """The web application."""
    importer: Importer = Importer()
    """The tasks that import images."""
    log_retention_days: RetentionDays = 365
    """Days the containers' and ECS Exec's logs are kept."""
    dashboard: bool = True
    """A CloudWatch dashboard of balancer, containers, instances and database."""
    access_log_retention_days: Annotated[int, Field(ge=1, le=3653)] = 365
    """Days the access logs of OMERO.web's load balancer are kept in their bucket. The balancer of `access.server` has
    none, because AWS logs TLS listeners only and OMERO's own TLS passes through; `network.flow_logs` records who
    connects."""

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
                f"{self.ec2.max_instances} of {self.ec2.instance_type} do not hold 1 read-write and {readers} "
                f"read-only servers; give {needed} or more, a larger instance_type, or fewer servers",
            )

    @rule
    def _the_database_has_room(self) -> Iterator[Fault]:
        """Each fileset takes a connection, and the people who look at images need theirs (OMERO's own default)."""
        settings = self.importer
        at_once = settings.max_tasks * settings.parallel_filesets
        connections = self.server.database_connections
        if at_once > connections - OTHERS_CONNECTIONS:
            yield (
                "importer.max_tasks",
                f"{settings.max_tasks} times parallel_filesets {settings.parallel_filesets} take {at_once} database "
                f"connections, and server.database_connections {connections} leave {connections - OTHERS_CONNECTIONS} "
                f"beside {OTHERS_CONNECTIONS} for people; give fewer of the former, or {at_once + OTHERS_CONNECTIONS} "
                "connections",
            )

    def _size_faults(self, key: str, size: Server | ReadOnly) -> Iterator[Fault]:
        on_fargate = self.server.launch_type == "FARGATE"
        if on_fargate and max(fargate.MEMORY_MIB.get(size.cpu, (LEAST_MEMORY_MIB,))) < LEAST_MEMORY_MIB:
            yield (
                f"{key}.cpu",
                f"{size.cpu} is too little for OMERO.server, which needs {LEAST_MEMORY_MIB} MiB of memory; give 512 or "
                "more",
            )
        elif size.memory_mib < LEAST_MEMORY_MIB:
            yield (
                f"{key}.memory_mib",
                f"{size.memory_mib} is too little for OMERO.server; give {LEAST_MEMORY_MIB} or more, so that its Java "
                "heaps and an importer fit",
            )
        elif on_fargate:
            yield from ((f"{key}.{name}", said) for name, said in _fargate_faults(size.cpu, size.memory_mib))
        elif self.ec2 and (fault := ec2.refusal(size.cpu, size.memory_mib, self.ec2.instance_type)):
            name = fault.split()[0]
            yield f"{key}.{name}", fault.removeprefix(f"{name} ")
