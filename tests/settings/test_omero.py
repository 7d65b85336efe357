"""Sections `access` and `omero`: who may come in, and tasks that Fargate offers."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from settings import fargate
from settings.access import Access
from settings.omero import Server, Task, Web


def test_refuses_the_whole_internet_by_a_slip() -> None:
    with pytest.raises(ValidationError, match=r"cidrs has 0\.0\.0\.0/0, the whole internet; .* open_to_the_world"):
        Access(cidrs=("192.0.2.0/24", "0.0.0.0/0"))
    assert Access(cidrs=("0.0.0.0/0",), open_to_the_world=True).cidrs == ("0.0.0.0/0",)


@pytest.mark.parametrize(
    ("cpu", "memory_mib", "said"),
    [
        (100, 512, "cpu 100 is not offered by Fargate; allowed: 256, 512, 1024"),
        (256, 1000, "memory_mib 1000 is not offered by Fargate with cpu 256; allowed: 512, 1024 or 2048"),
        (1024, 1024, "allowed: 2048 to 8192 in steps of 1024"),
        (4096, 10000, "allowed: 8192 to 30720 in steps of 1024"),
        (8192, 17408, "allowed: 16384 to 61440 in steps of 4096"),
        (16384, 131072, "allowed: 32768 to 122880 in steps of 8192"),
    ],
)
def test_refuses_a_pair_that_fargate_lacks(cpu: int, memory_mib: int, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Task(cpu=cpu, memory_mib=memory_mib)
    assert said in str(caught.value)


@pytest.mark.parametrize("cpu", fargate.MEMORY_MIB)
def test_takes_the_ends_of_each_size(cpu: int) -> None:
    sizes = fargate.MEMORY_MIB[cpu]
    for memory in (sizes[0], sizes[-1]):
        assert Task(cpu=cpu, memory_mib=memory).memory_mib == memory
    for memory in (sizes[0] - 1, sizes[-1] + 1):
        assert fargate.refusal(cpu, memory) is not None


@pytest.mark.parametrize("image", ["omero-web", "omero-web:latest", "registry:5000/web", "repo/web:", "web@sha256:1"])
def test_refuses_an_image_that_is_not_pinned(image: str) -> None:
    with pytest.raises(ValidationError, match=r"is not pinned|malformed digest"):
        Web(image=image)


@pytest.mark.parametrize("image", ["omero-web:5.31.1", "registry:5000/omero-web:5", f"web@sha256:{'0' * 64}"])
def test_takes_a_pinned_image(image: str) -> None:
    assert Web(image=image).image == image


def test_refuses_a_server_without_room_for_an_importer() -> None:
    with pytest.raises(ValidationError, match=r"memory_mib 4096 is too little for OMERO\.server; give 4438 or more"):
        Server(cpu=1024, memory_mib=4096)


def test_the_server_leaves_room_for_an_importer() -> None:
    assert Server().system_memory_mib == 10240 - 1024


@pytest.mark.parametrize("count", [0, 21])
def test_refuses_a_number_of_web_tasks(count: int) -> None:
    with pytest.raises(ValidationError, match="count"):
        Web(count=count)


def test_refuses_to_scale_below_the_least() -> None:
    with pytest.raises(ValueError, match="max_count 1 is below count 2; give 2 or more"):
        Web(max_count=1)
