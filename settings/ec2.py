"""EC2 instance types that OMERO.server may run on, and the tasks that fit on one.

Sizes are those of AWS's pages on EC2 instance types and on elastic network interfaces per type. All are x86:
OMERO's images are made for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from settings.fields import listed

# Family to the GiB of memory that come with one vCPU.
_GIB_PER_VCPU = {
    **dict.fromkeys(("c5", "c6a", "c6i", "c7a", "c7i"), 2),
    **dict.fromkeys(("m5", "m5a", "m6a", "m6i", "m7a", "m7i"), 4),
    **dict.fromkeys(("r5", "r5a", "r6a", "r6i", "r7a", "r7i"), 8),
}
# Size to its vCPUs and the network interfaces that an instance may have.
_SIZES = {"xlarge": (4, 4), "2xlarge": (8, 4), "4xlarge": (16, 8)}
# ECS takes tasks of 128 CPU units and more (API reference of RegisterTaskDefinition).
_LEAST_CPU = 128


@dataclass(frozen=True, kw_only=True)
class InstanceType:
    """What tasks may have on one instance: CPU units (1,024 are one vCPU), MiB of memory, and how many tasks."""

    cpu: int
    memory_mib: int
    tasks: int

    def holds(self, cpu: int, memory_mib: int) -> int:
        """How many equal tasks fit on one instance."""
        return min(self.cpu // cpu, self.memory_mib // memory_mib, self.tasks)


def _type(vcpus: int, gib: int, interfaces: int) -> InstanceType:
    # The kernel and the ECS agent keep some: 5 % and 256 MiB leave room (an m5.xlarge registers about 15,700 of its
    # 16,384 MiB). One interface is the instance's own, and each task has one.
    return InstanceType(cpu=vcpus * 1024, memory_mib=gib * 1024 * 95 // 100 - 256, tasks=interfaces - 1)


INSTANCE_TYPES: dict[str, InstanceType] = {
    f"{family}.{size}": _type(vcpus, vcpus * gib_per_vcpu, interfaces)
    for family, gib_per_vcpu in _GIB_PER_VCPU.items()
    for size, (vcpus, interfaces) in _SIZES.items()
}


def unknown(instance_type: str) -> str | None:
    """Why OMERO.server does not run on this instance type, in a sentence; None if it does."""
    if instance_type in INSTANCE_TYPES:
        return None
    return (
        f"{instance_type} is not an instance type for OMERO.server; allowed: {listed(_GIB_PER_VCPU)} with the size "
        f"{listed(_SIZES)}"
    )


def refusal(cpu: int, memory_mib: int, instance_type: str) -> str | None:
    """Why no such task fits on an instance of a type of `INSTANCE_TYPES`, in a sentence; None if one does."""
    offered = INSTANCE_TYPES[instance_type]
    if not _LEAST_CPU <= cpu <= offered.cpu:
        return (
            f"cpu {cpu} does not fit on an instance of {instance_type}; allowed: {_LEAST_CPU} to {offered.cpu} "
            "(1024 are one vCPU), or choose another omero.ec2.instance_type"
        )
    if memory_mib > offered.memory_mib:
        return (
            f"memory_mib {memory_mib} does not fit on an instance of {instance_type}, which leaves "
            f"{offered.memory_mib} MiB for tasks; give that or less, or choose another omero.ec2.instance_type"
        )
    return None


def instances_needed(
    offered: InstanceType, server: tuple[int, int], read_only: tuple[int, int] | None, readers: int
) -> int:
    """How many equal instances hold a read-write server and `readers` read-only ones.

    Sizes are CPU units and MiB, and each fits on an instance alone.
    """
    if not readers or read_only is None:
        return 1
    left = replace(
        offered, cpu=offered.cpu - server[0], memory_mib=offered.memory_mib - server[1], tasks=offered.tasks - 1
    )
    return 1 + -(-max(0, readers - left.holds(*read_only)) // offered.holds(*read_only))
