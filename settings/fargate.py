"""CPU and memory pairs that AWS Fargate offers (ECS Developer Guide, "Task CPU and memory")."""

from __future__ import annotations

MEMORY_MIB: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}
"""CPU units (1,024 are one vCPU) to the MiB of memory a Linux task may have with them."""


def refusal(cpu: int, memory_mib: int) -> str | None:
    """Why Fargate has no such task, in a sentence; None if it has."""
    if cpu not in MEMORY_MIB:
        allowed = ", ".join(str(units) for units in MEMORY_MIB)
        return f"cpu {cpu} is not offered by Fargate; allowed: {allowed} (1024 are one vCPU)"
    sizes = MEMORY_MIB[cpu]
    if memory_mib in sizes:
        return None
    step = sizes[1] - sizes[0] if cpu > 256 else None
    allowed = f"{sizes[0]} to {sizes[-1]} in steps of {step}" if step else "512, 1024 or 2048"
    return f"memory_mib {memory_mib} is not offered by Fargate with cpu {cpu}; allowed: {allowed}"


def enough(cpu: int, memory_mib: int) -> int:
    """The least MiB from `memory_mib` on that Fargate offers with `cpu`, or the most; unchanged without such a CPU."""
    sizes = MEMORY_MIB.get(cpu, (memory_mib,))
    return next((size for size in sizes if size >= memory_mib), sizes[-1])
