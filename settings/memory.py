"""How the memory of a task with OMERO.server is divided: the server, the importer beside it, and what ECS itself takes.

Server and importer have hard limits, so that neither takes from the other. Three of OMERO's JVMs are in the server:
Blitz, PixelData and Indexer (etc/templates/grid/default.xml of ome/openmicroscopy; Repository is in the target `repo`,
which nobody starts). Left to itself OMERO gives them 15, 15 and 10 % of what it takes for the machine's memory, 48,000
MiB at most (PercentStrategy in omero/install/jvmcfg.py of ome/omero-py). That is for a machine with a database and a
web server on it, which a task does not have.
"""

from __future__ import annotations

from collections.abc import Mapping

# MiB that no container may have: Fargate mounts EFS by a program of its own in the task's memory.
HELPER_MIB = 256
# The importer's limit; `omero import` itself has -Xmx1024M (omero/java.py of ome/omero-py), and so has ours.
IMPORTER_MIB = 1536
LEAST_IMPORTER_MIB = 1024
# Beside it a server has room in the default task of every topology.
MOST_IMPORTER_MIB = 8192
# Of the importer's limit: the JVM's classes, code and threads, and the Python that watches it. An estimate.
IMPORTER_OVERHEAD_MIB = 512
# Classes, compiled code and threads of three JVMs, and OMERO's Python and Ice processes: an estimate as well.
OVERHEAD_MIB = 1024
# The least limit of a server: the overhead, and heaps of which PixelData has the 512 MiB that OMERO gives a JVM without
# a strategy. With an importer of the usual size that makes a task of 5,120 MiB, of which Blitz has 30 %.
LEAST_SERVER_MIB = 3328
# Larger heaps need more memory beside them: a tenth of what a server has above the least.
OVERHEAD_SHARE = 10
# Of what is left, in ninths.
NINTHS: Mapping[str, int] = {"blitz": 6, "pixeldata": 2, "indexer": 1}


def server_mib(memory_mib: int, importer_mib: int = 0) -> int:
    """MiB that OMERO.server may have in a task of `memory_mib`, beside an importer of so many, if there is one."""
    return memory_mib - importer_mib - HELPER_MIB


def least_task_mib(importer_mib: int = 0) -> int:
    """MiB of the smallest task that holds OMERO.server and such an importer."""
    return LEAST_SERVER_MIB + importer_mib + HELPER_MIB


def heaps_mib(limit_mib: int) -> dict[str, int]:
    """MiB of heap (`-Xmx`) for each of OMERO's JVMs in a server of `limit_mib`, `LEAST_SERVER_MIB` or more."""
    overhead = OVERHEAD_MIB + (limit_mib - LEAST_SERVER_MIB) // OVERHEAD_SHARE
    return {name: (limit_mib - overhead) * ninths // 9 for name, ninths in NINTHS.items()}


def importer_heap_mib(limit_mib: int) -> int:
    """MiB of heap (`-Xmx`) for the JVM of an importer of `limit_mib`."""
    return limit_mib - IMPORTER_OVERHEAD_MIB
