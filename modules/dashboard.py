"""A CloudWatch dashboard of one OMERO: the balancer by zone, containers, instances, database, arrivals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from constructs import Construct

from modules.addresses import MAIN
from modules.log_figures import LogFigures

HOUR_SECONDS = 3600
# A dashboard is 24 units wide (CloudWatch API, "Dashboard body structure and syntax").
COLUMNS, WIDTH, HEIGHT = 3, 8, 6
PERIOD_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class ArrivalGraphs:
    """What the importer says of arrivals, and the names of queues by title: of events, and of what nobody could use."""

    figures: LogFigures
    queues: Mapping[str, str]
    dead_letters: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class DashboardProps:
    """What is shown. `services` are the ECS services' names by title; `instances` is the autoscaling group's name.

    `balancer` and `target_group` are the suffixes of their ARNs that CloudWatch knows them by.
    """

    name: str
    region: str
    zones: Sequence[str]
    balancer: str
    target_group: str
    cluster_name: str
    services: Mapping[str, str]
    database_name: str
    instances: str | None = None
    arrivals: ArrivalGraphs | None = None


class Dashboard(Construct):
    """`name` is the dashboard's."""

    def __init__(self, scope: Construct, id_: str, props: DashboardProps) -> None:
        super().__init__(scope, id_)
        widgets = [
            {
                "type": "metric",
                "x": index % COLUMNS * WIDTH,
                "y": index // COLUMNS * HEIGHT,
                "width": WIDTH,
                "height": HEIGHT,
                "properties": {"region": props.region, "period": PERIOD_SECONDS, "view": "timeSeries", **graph},
            }
            for index, graph in enumerate(_graphs(props))
        ]
        self.name = CloudwatchDashboard(
            self, MAIN, dashboard_name=props.name, dashboard_body=json.dumps({"widgets": widgets})
        ).dashboard_name


def _graphs(props: DashboardProps) -> list[dict[str, Any]]:
    graphs = [*_balancer(props), *_containers(props)]
    if props.instances:
        graphs += _instances(props.instances)
    graphs += _database(props.database_name)
    return graphs + _arrivals(props.arrivals) if props.arrivals else graphs


def _balancer(props: DashboardProps) -> list[dict[str, Any]]:
    where = ["LoadBalancer", props.balancer]
    targets = ["TargetGroup", props.target_group, *where]

    def by_zone(metric: str, statistic: str, of: Sequence[str]) -> list[Any]:
        return [
            ["AWS/ApplicationELB", metric, *of, "AvailabilityZone", zone, {"stat": statistic, "label": zone}]
            for zone in props.zones
        ]

    codes = [f"HTTPCode_Target_{digit}XX_Count" for digit in (2, 3, 4, 5)]
    return [
        {"title": "Requests by zone", "metrics": by_zone("RequestCount", "Sum", where)},
        {
            "title": "Responses",
            "metrics": [["AWS/ApplicationELB", code, *where, {"stat": "Sum", "label": code[16:19]}] for code in codes],
        },
        {"title": "Seconds to answer by zone", "metrics": by_zone("TargetResponseTime", "p95", where)},
        {"title": "Healthy web containers by zone", "metrics": by_zone("HealthyHostCount", "Minimum", targets)},
        {"title": "Unhealthy web containers by zone", "metrics": by_zone("UnHealthyHostCount", "Maximum", targets)},
    ]


def _containers(props: DashboardProps) -> list[dict[str, Any]]:
    cluster = ["ClusterName", props.cluster_name]

    def used(metric: str) -> list[Any]:
        services = [
            ["AWS/ECS", metric, "ServiceName", name, *cluster, {"label": title}]
            for title, name in props.services.items()
        ]
        return [*services, ["AWS/ECS", metric, *cluster, {"label": "cluster"}]]

    running = [
        ["ECS/ContainerInsights", "RunningTaskCount", "ServiceName", name, *cluster, {"label": title}]
        for title, name in props.services.items()
    ]
    return [
        {"title": "CPU of containers, %", "metrics": used("CPUUtilization")},
        {"title": "Memory of containers, %", "metrics": used("MemoryUtilization")},
        {"title": "Running tasks", "metrics": running},
    ]


def _instances(group: str) -> list[dict[str, Any]]:
    where = ["AutoScalingGroupName", group]
    return [
        {"title": "CPU of instances, %", "metrics": [["AWS/EC2", "CPUUtilization", *where]]},
        {
            "title": "Network of instances, bytes",
            "metrics": [["AWS/EC2", metric, *where, {"stat": "Sum"}] for metric in ("NetworkIn", "NetworkOut")],
        },
        {
            "title": "Disk of instances, bytes",
            "metrics": [["AWS/EC2", metric, *where, {"stat": "Sum"}] for metric in ("EBSReadBytes", "EBSWriteBytes")],
        },
        {
            "title": "Instances that fail their status check",
            "metrics": [["AWS/EC2", "StatusCheckFailed", *where, {"stat": "Maximum"}]],
        },
    ]


def _database(name: str) -> list[dict[str, Any]]:
    titles = {
        "CPUUtilization": "CPU of the database, %",
        "DatabaseConnections": "Connections to the database",
        "FreeStorageSpace": "Free storage of the database, bytes",
        "FreeableMemory": "Free memory of the database, bytes",
    }
    return [
        {"title": title, "metrics": [["AWS/RDS", metric, "DBInstanceIdentifier", name]]}
        for metric, title in titles.items()
    ]


def _arrivals(props: ArrivalGraphs) -> list[dict[str, Any]]:
    def shown(stat: str, **titles: str) -> list[Any]:
        figures = props.figures
        return [
            [figures.namespace, figures.metric(field), {"stat": stat, "label": title}]
            for field, title in titles.items()
        ]

    def messages(queues: Mapping[str, str]) -> list[Any]:
        what = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"]
        return [[*what, name, {"stat": "Maximum", "label": title}] for title, name in queues.items()]

    graphs: list[dict[str, Any]] = [
        {
            "title": "Arrivals, filesets",
            "metrics": shown("Maximum", waiting="waiting", arriving="still arriving", failed="failed"),
        },
        {"title": "Age of the oldest arrival, s", "metrics": shown("Maximum", oldest_seconds="oldest")},
        {
            "title": "Filesets imported an hour",
            "metrics": shown("Sum", imported="imported"),
            "period": HOUR_SECONDS,
        },
        {"title": "Queues of arrivals, messages", "metrics": messages(props.queues)},
        {"title": "Dead letters of arrivals, messages", "metrics": messages(props.dead_letters)},
    ]
    return [graph for graph in graphs if graph["metrics"]]
