"""Digests and tags of container registries, and what a registry may do that is refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.errors import Failed
from scripts.images import reference
from scripts.images.registry import Registry
from tests.scripts.images.registry_help import BINARY, TOKEN, Distribution, StandIn, distribution

PEERS = ["stand-in", pytest.param("distribution", marks=pytest.mark.skipif(not BINARY, reason="no docker-registry"))]


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    made = StandIn()
    yield made
    made.close()


@pytest.fixture(params=PEERS)
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StandIn | Distribution]:
    if request.param == "stand-in":
        made = StandIn()
        yield made
        made.close()
    else:
        with distribution(tmp_path) as running:
            yield running


def _image(host: str, tag: str = "1.0.0") -> reference.Reference:
    return reference.parse(f"{host}/ome/omero-web:{tag}")


def test_a_digest_is_that_of_what_the_tag_names(peer: StandIn | Distribution) -> None:
    first = peer.push("ome/omero-web", "1.0.0", b"first")
    assert Registry(peer.host).digest(_image(peer.host)) == first
    second = peer.push("ome/omero-web", "1.0.0", b"second")
    assert second != first
    assert Registry(peer.host).digest(_image(peer.host)) == second


def test_what_is_not_there_is_said_in_a_sentence(peer: StandIn | Distribution) -> None:
    peer.push("ome/omero-web", "1.0.0", b"first")
    with pytest.raises(Failed, match=r"has no 127\.0\.0\.1:\d+/ome/omero-web:2; correct the name or the tag"):
        Registry(peer.host).digest(_image(peer.host, "2"))
    with pytest.raises(Failed, match="correct the name or the tag"):
        Registry(peer.host).tags(reference.parse(f"{peer.host}/ome/nothing:1"))


def test_all_tags_are_listed(peer: StandIn | Distribution) -> None:
    tags = sorted(f"1.0.{number}" for number in range(7))
    for tag in tags:
        peer.push("ome/omero-web", tag, b"same")
    assert sorted(Registry(peer.host).tags(_image(peer.host))) == tags


def test_pages_of_tags_are_followed(stand_in: StandIn) -> None:
    stand_in.page = 3
    for number in range(7):
        stand_in.push("ome/omero-web", f"1.0.{number}", b"same")
    assert len(Registry(stand_in.host).tags(_image(stand_in.host))) == 7
    stand_in.hurts = "elsewhere"
    with pytest.raises(Failed, match=r"sends its list of tags from another host, http://example\.org"):
        Registry(stand_in.host).tags(_image(stand_in.host))


def test_a_token_is_asked_for_once_and_given_to_the_registry_alone(stand_in: StandIn) -> None:
    stand_in.push("ome/omero-web", "1.0.0", b"first")
    registry = Registry(stand_in.host)
    registry.digest(_image(stand_in.host))
    registry.tags(_image(stand_in.host))
    tokens = [path for path, _ in stand_in.asked if path.startswith("/token")]
    assert tokens == ["/token?service=stand-in&scope=repository%3Aome%2Fomero-web%3Apull"]
    given = [authorization for path, authorization in stand_in.asked if path.startswith("/v2/")]
    assert given == ["", f"Bearer {TOKEN}", f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    ("hurts", "said"),
    [
        ("private", "shows ome/omero-web only to those who log in, or has no such repository"),
        ("busy", "has been asked too often from here; try again in an hour"),
        ("digest", "do not use it, and find out who answers there"),
        ("redirect", "answers 307 for"),
        ("no TLS", "asks for a token from 'http://example.org/token', which has no TLS"),
    ],
)
def test_refuses_answers(stand_in: StandIn, hurts: str, said: str) -> None:
    stand_in.push("ome/omero-web", "1.0.0", b"first")
    stand_in.hurts = hurts
    with pytest.raises(Failed, match=said):
        Registry(stand_in.host).digest(_image(stand_in.host))


def test_a_page_of_a_proxy_is_no_list(stand_in: StandIn) -> None:
    stand_in.push("ome/omero-web", "1.0.0", b"first")
    stand_in.hurts = "page"
    with pytest.raises(Failed, match="answers with something else than JSON, perhaps a proxy's page"):
        Registry(stand_in.host).tags(_image(stand_in.host))


def test_a_registry_that_is_away_is_a_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Failed, match=r"the registry 127\.0\.0\.1:\d+ cannot be reached \(.*refused\); check the netw"):
        Registry(host).digest(_image(host))


@pytest.mark.parametrize(
    ("image", "host", "repository", "tag"),
    [
        ("openmicroscopy/omero-server:5.6.18", "registry-1.docker.io", "openmicroscopy/omero-server", "5.6.18"),
        ("docker.io/openmicroscopy/omero-server:1", "registry-1.docker.io", "openmicroscopy/omero-server", "1"),
        ("postgres:16", "registry-1.docker.io", "library/postgres", "16"),
        ("ghcr.io/ome/omero-web:5", "ghcr.io", "ome/omero-web", "5"),
        ("localhost:5000/web:1", "localhost:5000", "web", "1"),
        ("localhost:5000/web", "localhost:5000", "web", ""),
    ],
)
def test_names_are_read_as_docker_reads_them(image: str, host: str, repository: str, tag: str) -> None:
    found = reference.parse(image)
    assert (found.host, found.repository, found.tag) == (host, repository, tag)
    digest = f"sha256:{'a' * 64}"
    assert found.pinned(digest) == f"{image}@{digest}"
    assert reference.parse(found.pinned(digest)).digest == digest


def test_private_registries_of_ecr_are_known() -> None:
    assert reference.parse("111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1").ecr == ("111122223333", "eu-west-1")
    assert reference.parse("public.ecr.aws/x/web:1").ecr is None


def test_newer_are_plain_releases_above() -> None:
    tags = ["latest", "5", "5.31", "5.9.9", "5.31.1", "5.31.2-1", "5.33.0", "5.31.10", "6.0.0-rc1"]
    assert reference.newer("5.31.1", tags) == ["5.33.0", "5.31.10"]
    assert reference.newer("custom", tags) == []
