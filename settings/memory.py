"""How the memory of a task with OMERO.server is divided: heaps of OMERO's JVMs, an importer, and everything else.

OMERO starts three JVMs: Blitz, PixelData and Indexer (etc/templates/grid/default.xml of ome/openmicroscopy; Repository
is in the target `repo`, which nobody starts). Left to itself it gives them 15, 15 and 10 % of what it takes for the
machine's memory, 48,000 MiB at most (PercentStrategy in omero/install/jvmcfg.py of ome/omero-py). That is for a
machine with a database and a web server on it, which a task does not have.
"""

from __future__ import annotations

from collections.abc import Mapping

# `omero import` in the server's container is one more JVM, started with -Xmx1024M (omero/java.py of ome/omero-py).
IMPORTER_MIB = 1024
# Classes, compiled code and threads of four JVMs, and OMERO's Python and Ice processes: an estimate, not a measurement.
OVERHEAD_MIB = 1024
# The original solution's smallest server; below it, heaps, an importer and the overhead do not fit.
LEAST_MEMORY_MIB = 4096
# Larger heaps need more memory beside them: a tenth of what a task has above the least.
OVERHEAD_SHARE = 10
# Of what is left, in eighths. At the least size PixelData has the 512 MiB that OMERO gives a JVM without a strategy.
EIGHTHS: Mapping[str, int] = {"blitz": 5, "pixeldata": 2, "indexer": 1}


def heaps_mib(memory_mib: int) -> dict[str, int]:
    """MiB of heap (`-Xmx`) for each of OMERO's JVMs in a task of `memory_mib`, `LEAST_MEMORY_MIB` or more.

    They fit into the task with one importer and the overhead, and Blitz has more than 30 % of the task.
    """
    overhead = OVERHEAD_MIB + (memory_mib - LEAST_MEMORY_MIB) // OVERHEAD_SHARE
    left = memory_mib - IMPORTER_MIB - overhead
    return {name: left * eighths // 8 for name, eighths in EIGHTHS.items()}
