"""How long each part of the way to OMERO.web waits, and how much it does at once: one chain of numbers.

A browser's request comes to the balancer, to a thread of one of gunicorn's workers, to OMERO.server and to the cache.
Whoever is nearer to the browser has to wait longer than what it waits for, or the browser gets an error of the wrong
one. docs/web.md has the measurements that the numbers come from.
"""

from __future__ import annotations

# Seconds without a byte after which the balancer gives up; a large rendering may keep a browser waiting.
IDLE_SECONDS = 120
# What gunicorn closes first, the balancer takes for an answer of 502 (ELB's guide, "HTTP 502").
KEEP_ALIVE_SECONDS = IDLE_SECONDS + 5

# How long a transfer may take if its task has to go. The balancer lets it end, and sends the task nothing new; ECS
# waits for that before it sends SIGTERM (its guide, "connection draining"). 300 is ELB's own default: with the seconds
# of gunicorn, 5 GB at 100 Mbit/s. Without a transfer or an open connection the balancer does not wait.
DRAIN_SECONDS = 300
# From SIGTERM to SIGKILL: the most that Fargate has.
STOP_SECONDS = 120
# What gunicorn gives transfers after SIGTERM; the rest is for the end of its workers.
GRACEFUL_SECONDS = STOP_SECONDS - 10

# Of the balancer's and the container's health checks.
HEALTH_SECONDS = 10
# To connect to the cache, and as long for an answer. A command is tried twice, and after it no other in that request:
# 4 seconds in all, below those of the health checks. A node of ElastiCache answers in a millisecond.
CACHE_SECONDS = 1

# Of each worker. A slow transfer holds a thread and next to nothing else.
THREADS = 16
# What autoscaling lets each thread get a minute: half of what it can do if a request takes 0.3 seconds, as a tile from
# OMERO.server does (an estimate). Threads that wait for OMERO.server are scarce before the CPU is.
REQUESTS_A_MINUTE_OF_THREAD = 100
CPU_UNITS = 1024
"""ECS's units of CPU that are one vCPU."""


def workers(cpu: int) -> int:
    """Gunicorn's processes on so many units of CPU.

    Two for each vCPU and one more is gunicorn's own rule (docs/design, "How Many Workers?"), for one of them mostly
    waits for OMERO.server. Two at the least: one may be busy with Python.
    """
    return max(2, 2 * cpu // CPU_UNITS + 1)


def requests_a_minute(cpu: int) -> int:
    """What one task of so many units of CPU may get before another one is started."""
    return workers(cpu) * THREADS * REQUESTS_A_MINUTE_OF_THREAD
