"""Metrics of what a program writes to its log as JSON: it needs no right for them, and they cost no call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_log_metric_filter import (
    CloudwatchLogMetricFilter,
    CloudwatchLogMetricFilterMetricTransformation,
)
from constructs import Construct


@dataclass(frozen=True, kw_only=True)
class LogFiguresProps:
    """A line `{"<what>": {"<field>": number, ...}}` of the log group makes a value of each of `fields`."""

    name: str
    namespace: str
    log_group_name: str
    what: str
    fields: Sequence[str]


class LogFigures(Construct):
    """`namespace` is that of the metrics; `metric` has their names."""

    def __init__(self, scope: Construct, id_: str, props: LogFiguresProps) -> None:
        super().__init__(scope, id_)
        self.namespace = props.namespace
        self._made = {field: self._figure(props, field) for field in props.fields}

    def metric(self, field: str) -> str:
        """The name of a field's metric, known once there is one."""
        return str(self._made[field].metric_transformation.name)

    def _figure(self, props: LogFiguresProps, field: str) -> CloudwatchLogMetricFilter:
        name = f"{props.name}-{field.replace('_', '-')}"
        # CloudWatch Logs user guide, "Filter pattern syntax for metric filters": * is any value.
        value = f"$.{props.what}.{field}"
        return CloudwatchLogMetricFilter(
            self,
            field,
            name=name,
            log_group_name=props.log_group_name,
            pattern=f"{{ {value} = * }}",
            metric_transformation=CloudwatchLogMetricFilterMetricTransformation(
                namespace=props.namespace, name=name, value=value
            ),
        )
