"""Sections `access` and `omero`: who may come in, and tasks that Fargate offers."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from settings import fargate
from settings.access import Access
from settings.omero import Ec2, Omero, Server, Web


def test_refuses_the_whole_internet_by_a_slip() -> None:
    with pytest.raises(ValidationError, match=r"cidrs\.1\n  0\.0\.0\.0/0 is the whole internet; .*open_to_the_world"):
        Access(cidrs=("192.0.2.0/24", "0.0.0.0/0"))
    assert Access(cidrs=("0.0.0.0/0",), open_to_the_world=True).cidrs == ("0.0.0.0/0",)


@pytest.mark.parametrize(
    ("cpu", "memory_mib", "said"),
    [
        (100, 512, "cpu\n  100 is not offered by Fargate; allowed: 256, 512, 1024"),
        (256, 1000, "memory_mib\n  1000 is not offered by Fargate with cpu 256; allowed: 512, 1024 or 2048"),
        (1024, 1024, "allowed: 2048 to 8192 in steps of 1024"),
        (4096, 10000, "allowed: 8192 to 30720 in steps of 1024"),
        (8192, 17408, "allowed: 16384 to 61440 in steps of 4096"),
        (16384, 131072, "allowed: 32768 to 122880 in steps of 8192"),
    ],
)
def test_refuses_a_pair_that_fargate_lacks(cpu: int, memory_mib: int, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Web(cpu=cpu, memory_mib=memory_mib)
    assert said in str(caught.value)


@pytest.mark.parametrize("cpu", fargate.MEMORY_MIB)
def test_takes_the_ends_of_each_size(cpu: int) -> None:
    sizes = fargate.MEMORY_MIB[cpu]
    for memory in (sizes[0], sizes[-1]):
        assert fargate.refusal(cpu, memory) is None
    for memory in (sizes[0] - 1, sizes[-1] + 1):
        assert fargate.refusal(cpu, memory) is not None


@pytest.mark.parametrize("image", ["omero-web", "omero-web:latest", "registry:5000/web", "repo/web:", "web@sha256:1"])
def test_refuses_an_image_that_is_not_pinned(image: str) -> None:
    with pytest.raises(ValidationError, match=r"is not pinned|malformed digest"):
        Web(image=image)


@pytest.mark.parametrize("image", ["omero-web:5.31.1", "registry:5000/omero-web:5", f"web@sha256:{'0' * 64}"])
def test_takes_a_pinned_image(image: str) -> None:
    assert Web(image=image).image == image


def test_refuses_a_server_that_omero_has_no_room_in() -> None:
    with pytest.raises(
        ValidationError,
        match=r"server\.memory_mib\n  2048 is not enough for OMERO\.server beside an importer of 1536 MiB; give 5120",
    ):
        Omero(server=Server(cpu=1024, memory_mib=2048))


@pytest.mark.parametrize(
    ("cpu", "memory_mib", "instance_type", "said"),
    [
        (4097, 8192, "m5.xlarge", "cpu\n  4097 does not fit on an instance of m5.xlarge; allowed: 128 to 4096"),
        (64, 8192, "m5.xlarge", "cpu\n  64 does not fit"),
        (4096, 16384, "m5.xlarge", "memory_mib\n  16384 does not fit on an instance of m5.xlarge, which leaves 15308"),
        (4096, 10240, "c5.xlarge", "memory_mib\n  10240 does not fit on an instance of c5.xlarge"),
    ],
)
def test_refuses_a_task_that_no_instance_holds(cpu: int, memory_mib: int, instance_type: str, said: str) -> None:
    server = Server(launch_type="EC2", cpu=cpu, memory_mib=memory_mib)
    with pytest.raises(ValidationError) as caught:
        Omero(server=server, ec2=Ec2(instance_type=instance_type))
    assert said in str(caught.value)


def test_ec2_takes_pairs_that_fargate_lacks() -> None:
    server = Server(launch_type="EC2", cpu=3000, memory_mib=15000)
    assert Omero(server=server, ec2=Ec2()).server.memory_mib == 15000
    with pytest.raises(ValidationError, match="3000 is not offered by Fargate"):
        Omero(server=server.model_copy(update={"launch_type": "FARGATE"}))


@pytest.mark.parametrize("instance_type", ["t3.micro", "m7g.xlarge", "m5", "m5.metal", ""])
def test_refuses_an_instance_type(instance_type: str) -> None:
    with pytest.raises(ValidationError, match=r"is not an instance type for OMERO.server; allowed: c5"):
        Ec2(instance_type=instance_type)


@pytest.mark.parametrize(
    ("servers", "instance_type", "least"),
    [
        (1, "m5.xlarge", 1),  # 2,048 CPU units each: two on one of 4,096
        (2, "m5.xlarge", 2),
        (6, "m5.xlarge", 4),
        (2, "m5.2xlarge", 1),  # three network interfaces are left to tasks
        (3, "m5.2xlarge", 2),
    ],
)
def test_refuses_more_servers_than_the_instances_hold(servers: int, instance_type: str, least: int) -> None:
    def omero(instances: int) -> Omero:
        size = {"cpu": 2048, "memory_mib": 5120}
        values = {
            "server": {"launch_type": "EC2", **size},
            "read_only": {"count": servers, **size},
            "ec2": {"instance_type": instance_type, "max_instances": instances},
        }
        return Omero.model_validate(values)

    assert omero(least).ec2 is not None
    if least > 1:
        with pytest.raises(ValidationError, match=f"cannot hold 1 read-write and {servers} .*; give {least} or more"):
            omero(least - 1)


@pytest.mark.parametrize("count", [0, 21])
def test_refuses_a_number_of_web_tasks(count: int) -> None:
    with pytest.raises(ValidationError, match="count"):
        Web(count=count)


def test_refuses_to_scale_below_the_least() -> None:
    with pytest.raises(ValueError, match=r"max_count\n  1 is below count 2; give 2 or more"):
        Web(max_count=1)
