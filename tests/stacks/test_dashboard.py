"""The dashboard shows what the original's four did."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Stacks, of_type, only
from tests.settings.test_topology import sections


def _metrics(omero: dict[str, Any]) -> set[str]:
    body = json.loads(only(omero, "aws_cloudwatch_dashboard")["dashboard_body"])
    return {metric[1] for widget in body["widgets"] for metric in widget["properties"]["metrics"]}


ALWAYS = {
    "RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_5XX_Count", "TargetResponseTime",
    "HealthyHostCount", "UnHealthyHostCount", "CPUUtilization", "MemoryUtilization", "DatabaseConnections",
    "FreeStorageSpace", "FreeableMemory",
}  # fmt: skip
OF_INSTANCES = {"NetworkIn", "NetworkOut", "EBSReadBytes", "EBSWriteBytes", "StatusCheckFailed"}


def test_it_shows_balancer_containers_and_database(synthesise: Callable[..., Stacks]) -> None:
    shown = _metrics(synthesise()["omero"])
    assert shown >= ALWAYS
    assert not shown & OF_INSTANCES


def test_it_shows_instances_where_there_are_any(synthesise: Callable[..., Stacks]) -> None:
    assert _metrics(synthesise(**sections("rw-http-s3fg"))["omero"]) >= ALWAYS | OF_INSTANCES


def test_it_shows_the_balancer_by_zone_and_every_service(synthesise: Callable[..., Stacks]) -> None:
    body = only(synthesise(**sections("rw-ro-tls"))["omero"], "aws_cloudwatch_dashboard")["dashboard_body"]
    widgets = {widget["properties"]["title"]: widget for widget in json.loads(body)["widgets"]}
    assert len({metric[5] for metric in widgets["Requests by zone"]["properties"]["metrics"]}) == 2
    titles = {metric[-1]["label"] for metric in widgets["CPU of containers, %"]["properties"]["metrics"]}
    assert titles == {"server", "read-only-1", "web", "cluster"}


@pytest.mark.parametrize("changes", [{}, sections("rw-tls-nlb-s3fg")])
def test_no_two_graphs_share_a_place(synthesise: Callable[..., Stacks], changes: dict[str, Any]) -> None:
    body = json.loads(only(synthesise(**changes)["omero"], "aws_cloudwatch_dashboard")["dashboard_body"])
    places = [(widget["x"], widget["y"]) for widget in body["widgets"]]
    assert len(set(places)) == len(places)
    assert all(widget["x"] + widget["width"] <= 24 for widget in body["widgets"])


def test_there_is_none_if_the_workspace_says_so(synthesise: Callable[..., Stacks]) -> None:
    assert not of_type(synthesise(omero={"dashboard": False})["omero"], "aws_cloudwatch_dashboard")
