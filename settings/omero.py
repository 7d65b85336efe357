"""Section `omero`: the containers."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from settings import fargate
from settings.fields import PinnedImage, RetentionDays, Settings

# OMERO's own lower bound for the memory it divides among its JVMs (omero.jvmcfg.min_system_memory).
MIN_SYSTEM_MEMORY_MIB = 3414
# `omero import` in the server's container is one more JVM, started with -Xmx1024M.
IMPORTER_MIB = 1024


class Task(Settings):
    """Size of one container's task."""

    cpu: int
    """CPU units; 1,024 are one vCPU."""
    memory_mib: int
    """MiB of memory."""

    @model_validator(mode="after")
    def _offered(self) -> Self:
        if fault := fargate.refusal(self.cpu, self.memory_mib):
            raise ValueError(fault)
        return self


class Server(Task):
    """OMERO.server: one read-write task."""

    image: PinnedImage = "openmicroscopy/omero-server:5.6.16-2"
    """Container image of the server."""
    cpu: int = 4096
    """CPU units; 1,024 are one vCPU."""
    memory_mib: int = 10240
    """MiB of memory; the Java heaps are derived from it."""
    database_connections: Annotated[int, Field(ge=10, le=500)] = 50
    """Size of the server's database pool; keep it above the number of filesets imported at once."""

    @model_validator(mode="after")
    def _enough_memory(self) -> Self:
        least = MIN_SYSTEM_MEMORY_MIB + IMPORTER_MIB
        if self.memory_mib < least:
            raise ValueError(
                f"memory_mib {self.memory_mib} is too little for OMERO.server; give {least} or more "
                f"({MIN_SYSTEM_MEMORY_MIB} for its JVMs and {IMPORTER_MIB} for an importer)"
            )
        return self

    @property
    def system_memory_mib(self) -> int:
        """MiB that OMERO divides among its JVMs: the task's memory less one importer's JVM."""
        return self.memory_mib - IMPORTER_MIB


class Web(Task):
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

    @model_validator(mode="after")
    def _room_to_scale(self) -> Self:
        if self.max_count is not None and self.max_count < self.count:
            raise ValueError(f"max_count {self.max_count} is below count {self.count}; give {self.count} or more")
        return self


class Omero(Settings):
    """The containers and their logs."""

    server: Server = Server()
    """The read-write server."""
    web: Web = Web()
    """The web application."""
    log_retention_days: RetentionDays = 365
    """Days the containers' and ECS Exec's logs are kept."""
    access_log_retention_days: Annotated[int, Field(ge=1, le=3653)] = 365
    """Days the load balancer's access logs are kept in their bucket."""
