"""The chain of waits between a browser and OMERO.web: whoever is nearer to the browser waits longer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Stacks, container, of_type, only, variables


@pytest.fixture
def omero(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise()["omero"]


@pytest.fixture
def frontend(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise()["frontend"]


def gunicorn(omero: dict[str, Any], option: str) -> int:
    """A number of gunicorn's arguments."""
    found = re.search(rf"--{option} (\d+)", variables(omero, "web")["CONFIG_omero_web_wsgi__args"])
    assert found, option
    return int(found[1])


def test_gunicorn_keeps_a_connection_longer_than_the_balancer(omero: dict[str, Any], frontend: dict[str, Any]) -> None:
    """Else the balancer sends a request into a connection that is being closed, and the browser gets a 502."""
    assert gunicorn(omero, "keep-alive") > only(frontend, "aws_lb")["idle_timeout"]


def test_a_transfer_may_end_when_its_task_goes(omero: dict[str, Any], frontend: dict[str, Any]) -> None:
    web = container(omero, "web")
    assert web["stopTimeout"] == 120, "the most that Fargate has"
    assert 0 < web["stopTimeout"] - gunicorn(omero, "graceful-timeout") <= 10
    assert int(only(frontend, "aws_lb_target_group")["deregistration_delay"]) >= web["stopTimeout"]


def test_a_cache_that_hangs_costs_less_than_a_health_check(omero: dict[str, Any], frontend: dict[str, Any]) -> None:
    cache = json.loads(variables(omero, "web")["CONFIG_omero_web_caches"])["default"]["OPTIONS"]
    once = cache["socket_connect_timeout"] + cache["socket_timeout"]
    checks = [container(omero, "web")["healthCheck"], only(frontend, "aws_lb_target_group")["health_check"]]
    assert all(2 * once < check["timeout"] for check in checks)


@pytest.mark.parametrize(("cpu", "workers"), [(256, 2), (1024, 3), (2048, 5), (16384, 33)])
def test_workers_follow_the_cpu_of_the_task(synthesise: Callable[..., Stacks], cpu: int, workers: int) -> None:
    values = variables(synthesise(omero={"web": {"cpu": cpu}})["omero"], "web")
    assert int(values["CONFIG_omero_web_wsgi__workers"]) == workers
    assert int(values["CONFIG_omero_web_wsgi__threads"]) > 1


def test_no_variable_is_empty(synthesise: Callable[..., Stacks]) -> None:
    """ECS leaves it out, and every plan would bring it back (terraform-provider-aws issue 39533)."""
    for stacks in (
        synthesise(),
        synthesise(
            topology="rw-ro-tls", tls={"domain_name": "omero.example.org", "hosted_zone_id": "Z0123456789ABCDEFGHIJ"}
        ),
    ):
        for definition in of_type(stacks["omero"], "aws_ecs_task_definition").values():
            for each in json.loads(definition["container_definitions"]):
                assert [variable for variable in each["environment"] if not variable["value"]] == []
