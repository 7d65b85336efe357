"""What the section `omero` has where it says nothing and another value decides: read from it as it is written.

Nothing is refused here: what is no number, or none that is allowed, is left to the models.
"""

from __future__ import annotations

from typing import Any

from settings import ec2, fargate
from settings.memory import IMPORTER_MIB

# Database connections that imports leave to everybody else: OMERO's own default for all (omero.db.poolsize).
OTHERS_CONNECTIONS = 10
# Of an import: one for what it does, and one for the session that asks for it.
CONNECTIONS_A_FILESET = 2
CONNECTIONS = 50
MOST_CONNECTIONS = 500
# OMERO has 5 threads for submitting and running imports (omero.threads.background_threads), and what finds none waits
# for up to an hour (omero.threads.background_timeout): one stays free.
FILESETS = 4
INSTANCE_TYPE = "m5.xlarge"
INSTANCES = 2
READ_ONLY_SIZE = (2048, 4096)
SERVER_SIZE = (4096, 10240)
"""CPU units and MiB of the read-write server."""


def with_defaults(
    values: dict[str, Any], *, launch_type: str = "FARGATE", size: tuple[int, int] = SERVER_SIZE
) -> dict[str, Any]:
    """The section with `launch_type`, sizes of servers, instances and filesets that fit what is given.

    `launch_type` and `size` (CPU units and MiB) are what the server has if nothing else decides.
    """
    server = values.get("server", {})
    if not isinstance(server, dict):
        return values
    server = {"launch_type": launch_type, **server}
    made = {**values, "server": server}
    importer_mib = _in(values.get("importer"), "memory_mib", IMPORTER_MIB)
    if _positive(importer_mib):
        size = size[0], size[1] + max(0, importer_mib - IMPORTER_MIB)
    if server["launch_type"] == "EC2":
        made = {"ec2": {}, **made}
    instance_type = _in(made.get("ec2"), "instance_type", INSTANCE_TYPE) if server["launch_type"] == "EC2" else None
    made["server"] = _sized(server, size, instance_type)
    if isinstance(read_only := made.get("read_only"), dict):
        made["read_only"] = _sized(read_only, READ_ONLY_SIZE, instance_type)
    if instance_type and isinstance(made.get("ec2"), dict):
        made["ec2"] = {"max_instances": _instances(made, instance_type), **made["ec2"]}
    return _with_filesets(made)


def _sized(server: dict[str, Any], size: tuple[int, int], instance_type: Any | None) -> dict[str, Any]:
    cpu, memory_mib = server.get("cpu", size[0]), size[1]
    if instance_type is None and isinstance(cpu, int):
        memory_mib = fargate.enough(cpu, memory_mib)
    elif isinstance(instance_type, str) and (offered := ec2.INSTANCE_TYPES.get(instance_type)):
        memory_mib = min(memory_mib, offered.memory_mib)
    return {"cpu": cpu, "memory_mib": memory_mib, **server}


def _instances(omero: dict[str, Any], instance_type: Any) -> int:
    """As many as hold all servers, and 2 at least; 2 too if nothing can be said."""
    offered = ec2.INSTANCE_TYPES.get(instance_type) if isinstance(instance_type, str) else None
    readers = _in(omero.get("read_only"), "count", 1) if omero.get("read_only") is not None else 0
    sizes = [_in(omero.get(key), name, None) for key in ("server", "read_only") for name in ("cpu", "memory_mib")]
    server, read_only = sizes[:2], sizes[2:] if readers else sizes[:2]
    if offered is None or not all(_positive(each) for each in (*server, *read_only)) or not _count(readers):
        return INSTANCES
    if not (offered.holds(*server) and offered.holds(*read_only)):
        return INSTANCES
    needed = ec2.instances_needed(offered, tuple(server), tuple(read_only), readers)
    return max(INSTANCES, needed)


def _with_filesets(omero: dict[str, Any]) -> dict[str, Any]:
    """As many at once as a pool that is given has connections for."""
    importer, connections = omero.get("importer", {}), omero["server"].get("database_connections")
    if not isinstance(importer, dict) or not _positive(connections):
        return omero
    filesets = max(1, min(FILESETS, (connections - OTHERS_CONNECTIONS) // CONNECTIONS_A_FILESET))
    return {**omero, "importer": {"parallel_filesets": filesets, **importer}}


def _in(section: Any, key: str, usual: Any) -> Any:
    return section.get(key, usual) if isinstance(section, dict) else usual


def _count(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


def _positive(value: Any) -> bool:
    return isinstance(value, int) and value > 0
