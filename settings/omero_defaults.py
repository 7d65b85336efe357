"""What the section `omero` has where it says nothing and another value decides: read from it as it is written.

Nothing is refused here: what is no number, or none that is allowed, is left to the models.
"""

from __future__ import annotations

from typing import Any

from settings import ec2, fargate

# Database connections that imports leave to everybody else: OMERO's own default for all (omero.db.poolsize).
OTHERS_CONNECTIONS = 10
CONNECTIONS = 50
MOST_CONNECTIONS = 500
IMPORTERS = 4
FILESETS = 4
INSTANCE_TYPE = "m5.xlarge"
INSTANCES = 2
READ_ONLY_SIZE = (2048, 4096)
SERVER_SIZE = (4096, 10240)
"""CPU units and MiB of the read-write server."""


def with_defaults(
    values: dict[str, Any], *, launch_type: str = "FARGATE", size: tuple[int, int] = SERVER_SIZE
) -> dict[str, Any]:
    """The section with `launch_type`, sizes of servers, instances and connections that fit what is given.

    `launch_type` and `size` (CPU units and MiB) are what the server has if nothing else decides.
    """
    server = values.get("server", {})
    if not isinstance(server, dict):
        return values
    server = {"launch_type": launch_type, **server}
    made = {**values, "server": server}
    if server["launch_type"] == "EC2":
        made = {"ec2": {}, **made}
    instance_type = _in(made.get("ec2"), "instance_type", INSTANCE_TYPE) if server["launch_type"] == "EC2" else None
    made["server"] = _sized(server, size, instance_type)
    if isinstance(read_only := made.get("read_only"), dict):
        made["read_only"] = _sized(read_only, READ_ONLY_SIZE, instance_type)
    if instance_type and isinstance(made.get("ec2"), dict):
        made["ec2"] = {"max_instances": _instances(made, instance_type), **made["ec2"]}
    return _with_connections(made)


def _sized(server: dict[str, Any], size: tuple[int, int], instance_type: Any | None) -> dict[str, Any]:
    cpu, memory_mib = server.get("cpu", size[0]), size[1]
    if instance_type is None and isinstance(cpu, int):
        memory_mib = fargate.nearest(cpu, memory_mib)
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


def _with_connections(omero: dict[str, Any]) -> dict[str, Any]:
    """The pool has a connection for each fileset; or if only the pool is given, importers are as many as it suffices
    for."""
    importer, server = omero.get("importer", {}), omero["server"]
    if not isinstance(importer, dict):
        return omero
    tasks, filesets = importer.get("max_tasks"), importer.get("parallel_filesets")
    if "database_connections" not in server:
        at_once = [each if each is not None else usual for each, usual in ((tasks, IMPORTERS), (filesets, FILESETS))]
        if not all(map(_positive, at_once)):
            return omero
        wanted = min(MOST_CONNECTIONS, at_once[0] * at_once[1] + OTHERS_CONNECTIONS)
        return {**omero, "server": {**server, "database_connections": max(CONNECTIONS, wanted)}}
    left = server["database_connections"] - OTHERS_CONNECTIONS if _positive(server["database_connections"]) else None
    if left is None or not all(each is None or _positive(each) for each in (tasks, filesets)):
        return omero
    filesets = filesets or max(1, min(FILESETS, left // (tasks or 1)))
    tasks = tasks or max(1, min(IMPORTERS, left // filesets))
    return {**omero, "importer": {"max_tasks": tasks, "parallel_filesets": filesets, **importer}}


def _in(section: Any, key: str, usual: Any) -> Any:
    return section.get(key, usual) if isinstance(section, dict) else usual


def _count(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


def _positive(value: Any) -> bool:
    return isinstance(value, int) and value > 0
