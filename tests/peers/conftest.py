"""The real OMERO.web and a real cache, for tests that `make peers` runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import main
from settings import load
from tests.conftest import Stacks, container, read_stacks
from tests.peers.web import Cache, Web

Start = Callable[..., Web]


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Stacks]:
    """`synthesised(example)` are the stacks of an example workspace."""
    known: dict[str, Stacks] = {}

    def stacks(example: str) -> Stacks:
        if example not in known:
            out = tmp_path_factory.mktemp("out")
            main.build(load(example), outdir=str(out))
            known[example] = read_stacks(out)
        return known[example]

    return stacks


@pytest.fixture(scope="session")
def definition(synthesised: Callable[[str], Stacks]) -> Callable[[str], dict[str, Any]]:
    """`definition(example)` is the synthesised container of OMERO.web of an example workspace."""
    return lambda example: container(synthesised(example)["omero"], "web")


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory, definition: Callable[[str], dict[str, Any]]
) -> Iterator[Callable[..., Web]]:
    """`start(example, cache=..., **variables)` is a running OMERO.web, well."""
    with ExitStack() as running:

        def started(example: str, *, cache: Cache | None = None, **variables: str) -> Web:
            web = Web(definition(example), tmp_path_factory.mktemp("web"), cache=cache, variables=variables)
            running.callback(web.close)
            web.wait_until_well()
            return web

        yield started


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    """A cache that is there."""
    server = Cache(tmp_path_factory.mktemp("cache"))
    yield server
    server.close()


def through_balancer(host: str, scheme: str) -> dict[str, str]:
    """What the browser and the balancer say in a request's head (ELB's guide, "X-Forwarded headers")."""
    return {
        "Host": host,
        "X-Forwarded-For": "198.51.100.7",
        "X-Forwarded-Proto": scheme,
        "X-Forwarded-Port": "443" if scheme == "https" else "80",
    }
