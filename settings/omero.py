"""Section `omero`: the containers."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from settings import ec2, fargate
from settings.fields import PinnedImage, RetentionDays, Settings

# OMERO's own lower bound for the memory it divides among its JVMs (omero.jvmcfg.min_system_memory).
MIN_SYSTEM_MEMORY_MIB = 3414
# `omero import` in the server's container is one more JVM, started with -Xmx1024M.
IMPORTER_MIB = 1024
# Database connections that imports leave to everybody else: OMERO's own default for all (omero.db.poolsize).
OTHERS_CONNECTIONS = 10
# The original solution's least server; below it the JVMs and an importer have no room beside each other.
LEAST_MEMORY_MIB = 4096


LaunchType = Literal["FARGATE", "EC2"]


def _instance_type(value: str) -> str:
    if fault := ec2.unknown(value):
        raise ValueError(fault)
    return value


class Ec2(Settings):
    """The instances of the launch type EC2, in an autoscaling group that ECS scales by what its tasks need."""

    instance_type: Annotated[str, AfterValidator(_instance_type)] = "m5.xlarge"
    """EC2 instance type; m5.xlarge has 4 vCPUs and 16 GiB. Reached by Session Manager; there is no key pair."""
    max_instances: Annotated[int, Field(ge=1, le=20)] = 2
    """The most instances there may be. There are as many as the tasks need."""
    volume_gib: Annotated[int, Field(ge=30, le=16384)] = 60
    """GiB of an instance's encrypted gp3 volume: images of the containers, and the server's temporary files."""


class Server(Settings):
    """OMERO.server: one read-write task."""

    launch_type: LaunchType = "FARGATE"
    """Where the servers run; left out, FARGATE, or EC2 in topologies with a share. OMERO.web is always on Fargate."""
    image: PinnedImage = "openmicroscopy/omero-server:5.6.16-2"
    """Container image of the server, the read-only ones' too."""
    cpu: int = 4096
    """CPU units; 1,024 are one vCPU. Left out, 4096, or 2048 in topologies with read-only servers or a share."""
    memory_mib: int = 10240
    """MiB of memory, from which the Java heaps are derived. Left out, 10240, or 4096 in those topologies."""
    database_connections: Annotated[int, Field(ge=10, le=500)] = 50
    """Size of the server's database pool; keep it above the number of filesets imported at once."""


class ReadOnly(Settings):
    """Read-only servers: they share the read-write one's image, launch type and images, and change nothing."""

    count: Annotated[int, Field(ge=1, le=20)] = 1
    """Number of servers. Each has a name of its own, for a session stays with the server it began on."""
    cpu: int = 2048
    """CPU units of each; 1,024 are one vCPU."""
    memory_mib: int = 4096
    """MiB of memory of each."""


class Sessions(Settings):
    """A Valkey cache (ElastiCache) in which all web containers find everyone's sessions."""

    node_type: Annotated[str, Field(pattern=r"^cache\.[a-z0-9]+\.[a-z0-9]+$")] = "cache.t4g.micro"
    """ElastiCache node type; the smallest holds the sessions of thousands."""
    replicas: Annotated[int, Field(ge=0, le=5)] = 1
    """Copies in other zones: with one, people stay logged in when a zone is lost."""


class Web(Settings):
    """OMERO.web: several equal tasks behind the load balancer."""

    image: PinnedImage = "openmicroscopy/omero-web-standalone:5.31.1"
    """Container image of the web application."""
    cpu: int = 2048
    """CPU units; 1,024 are one vCPU."""
    memory_mib: int = 4096
    """MiB of memory."""
    count: Annotated[int, Field(ge=1, le=20)] = 2
    """Number of tasks; with `max_count`, the least there are."""
    max_count: Annotated[int, Field(ge=1, le=20)] | None = None
    """The most tasks there may be: more are started above 60 % CPU. Left out, there are always `count`."""
    sessions: Sessions | None = Sessions()
    """Left out, a small cache in two zones; `null` leaves each session in one container, and it ends with it."""

    @model_validator(mode="after")
    def _offered(self) -> Self:
        if fault := fargate.refusal(self.cpu, self.memory_mib):
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _room_to_scale(self) -> Self:
        if self.max_count is not None and self.max_count < self.count:
            raise ValueError(f"max_count {self.max_count} is below count {self.count}; give {self.count} or more")
        return self

    @property
    def most(self) -> int:
        """The most tasks there may be outside a deployment."""
        return self.max_count or self.count


class Importer(Settings):
    """The tasks that import images: they run while `imports run` has something for them, and cost nothing else."""

    cpu: int = 2048
    """CPU units of each; 1,024 are one vCPU."""
    memory_mib: int = 4096
    """MiB of memory of each; the importer's JVM takes 1,024 of them."""
    max_tasks: Annotated[int, Field(ge=1, le=50)] = 4
    """The most that run at once, whoever started them."""
    parallel_filesets: Annotated[int, Field(ge=1, le=32)] = 4
    """Filesets that each imports at once."""
    admin: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]{1,64}$")] = "root"
    """OMERO's user that imports, and acts for others: an administrator, of whom the privileges Sudo, WriteFile and
    WriteManagedRepo suffice."""
    password_arn: (
        Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:\S+$")] | None
    ) = None
    """The secret with that user's password, encrypted by the key of the data; left out, that of root's first one."""

    @model_validator(mode="after")
    def _offered(self) -> Self:
        if fault := fargate.refusal(self.cpu, self.memory_mib):
            raise ValueError(fault)
        if self.memory_mib < 2 * IMPORTER_MIB:
            raise ValueError(
                f"memory_mib {self.memory_mib} is too little for an importer; give {2 * IMPORTER_MIB} or more"
            )
        return self

    @model_validator(mode="after")
    def _has_a_password(self) -> Self:
        if self.admin != "root" and self.password_arn is None:
            raise ValueError(f"admin {self.admin} needs password_arn, the secret with that user's password; give it")
        return self


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
    """Days the load balancers' access logs are kept in their bucket."""

    @model_validator(mode="after")
    def _servers_have_room(self) -> Self:
        sizes = {"server": (self.server.cpu, self.server.memory_mib)}
        if self.read_only:
            sizes["read_only"] = (self.read_only.cpu, self.read_only.memory_mib)
        faults = [
            f"{key}: {fault}" for key, size in sizes.items() if (fault := self._refusal(*size, self.server.launch_type))
        ]
        if not faults and self.ec2:
            faults = self._too_few_instances(self.ec2, sizes)
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _the_database_has_room(self) -> Self:
        """Each fileset takes a connection, and the people who look at images need theirs (OMERO's own default)."""
        settings = self.importer
        at_once = settings.max_tasks * settings.parallel_filesets
        left = self.server.database_connections - OTHERS_CONNECTIONS
        if at_once > left:
            raise ValueError(
                f"importer.max_tasks {settings.max_tasks} times parallel_filesets {settings.parallel_filesets} take "
                f"{at_once} database connections, and server.database_connections {self.server.database_connections} "
                f"leave {left} beside {OTHERS_CONNECTIONS} for people; give fewer of the former, or "
                f"{at_once + OTHERS_CONNECTIONS} connections"
            )
        return self

    def _refusal(self, cpu: int, memory_mib: int, launch_type: LaunchType) -> str | None:
        if memory_mib < LEAST_MEMORY_MIB:
            return (
                f"memory_mib {memory_mib} is too little for OMERO.server; give {LEAST_MEMORY_MIB} or more "
                f"({MIN_SYSTEM_MEMORY_MIB} are OMERO's own least for its JVMs)"
            )
        if launch_type == "EC2" and self.ec2:
            return ec2.refusal(cpu, memory_mib, self.ec2.instance_type)
        return fargate.refusal(cpu, memory_mib) if launch_type == "FARGATE" else None

    def _too_few_instances(self, settings: Ec2, sizes: dict[str, tuple[int, int]]) -> list[str]:
        """ECS would wait for room for ever, and the deployment with it."""
        offered = ec2.INSTANCE_TYPES[settings.instance_type]
        readers = self.read_only.count if self.read_only else 0
        each = offered.holds(*sizes.get("read_only", sizes["server"]))
        left = replace(
            offered,
            cpu=offered.cpu - self.server.cpu,
            memory_mib=offered.memory_mib - self.server.memory_mib,
            tasks=offered.tasks - 1,
        )
        beside = left.holds(*sizes["read_only"]) if readers else 0
        needed = 1 + -(-max(0, readers - beside) // each)
        if needed <= settings.max_instances:
            return []
        return [
            f"ec2.max_instances {settings.max_instances} of {settings.instance_type} do not hold 1 read-write and "
            f"{readers} read-only servers; give {needed} or more, a larger instance_type, or fewer servers"
        ]


def system_memory_mib(memory_mib: int) -> int:
    """MiB that OMERO divides among its JVMs: the task's memory less one importer's JVM, but not below OMERO's least."""
    return max(MIN_SYSTEM_MEMORY_MIB, memory_mib - IMPORTER_MIB)
