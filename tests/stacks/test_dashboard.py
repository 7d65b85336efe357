"""The dashboard shows what the original's four did."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stacks.services.importer import FIGURES
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


def _widgets(omero: dict[str, Any]) -> dict[str, dict[str, Any]]:
    body = json.loads(only(omero, "aws_cloudwatch_dashboard")["dashboard_body"])
    return {widget["properties"]["title"]: widget["properties"] for widget in body["widgets"]}


def test_it_shows_what_arrives_by_the_metrics_that_the_importer_makes(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise(arrivals={"folders": [{"path": "/OMERO/in"}]})["omero"]
    widgets = _widgets(omero)
    shown = [
        tuple(metric[:2]) for widget in widgets.values() for metric in widget["metrics"] if metric[0] == "omero-lab"
    ]
    filters = of_type(omero, "aws_cloudwatch_log_metric_filter")
    made = {
        f"${{aws_cloudwatch_log_metric_filter.importer_figures_{field}.metric_transformation[0].name}}"
        for field in FIGURES
    }
    assert {name for _, name in shown} == made
    assert {filters[f"importer_figures_{field}"]["metric_transformation"]["namespace"] for field in FIGURES} == {
        "omero-lab"
    }
    imported = widgets["Filesets imported an hour"]
    assert (imported["period"], imported["metrics"][0][-1]["stat"]) == (3600, "Sum")
    assert not [title for title in widgets if "messages" in title], "nothing sends any"
    assert not [title for title in _widgets(synthesise()["omero"]) if "rrival" in title]


def test_it_shows_the_queues_of_every_way_in(synthesise: Callable[..., Stacks]) -> None:
    stacks = synthesise(topology="rw-http-s3fg", datasync={}, file_gateway={}, arrivals={})
    queues = {
        (stack, queue["name"], "redrive_policy" in queue)
        for stack, made in stacks.items()
        for queue in of_type(made, "aws_sqs_queue").values()
    }
    widgets = _widgets(stacks["omero"])
    names = {name for _, name, _ in queues}
    waiting, dead = (
        {metric[3] for metric in widgets[title]["metrics"]}
        for title in ("Queues of arrivals, messages", "Dead letters of arrivals, messages")
    )
    assert "${aws_sqs_queue.importer_hints_queue.name}" in waiting
    assert waiting - {"${aws_sqs_queue.importer_hints_queue.name}"} <= names
    assert dead == {name for stack, name, redrives in queues if stack in ("datasync", "file_gateway") and not redrives}
