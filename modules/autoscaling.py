"""Target-tracking autoscaling of an ECS service behind a balancer: by its processor load, and by its requests."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicy,
)
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration as Tracking,
)
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification as Metric,
)
from cdktf_cdktf_provider_aws.appautoscaling_target import AppautoscalingTarget
from constructs import Construct

from contract import names

# Percent of the tasks' CPU: room for a burst while a new task starts.
CPU_PERCENT = 60
SCALE_OUT_SECONDS = 60
# Longer than the way out: sessions on a task that goes are moved to another.
SCALE_IN_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class AutoscalingProps:
    """How many tasks there are at the least and at the most.

    `requests_a_minute` is what one task may get on average. `balancer` and `target_group` are the ends of their ARNs,
    by which CloudWatch knows them.

    Raises:
        ValueError: the most is below the least.
    """

    cluster_name: str
    service_name: str
    minimum: int
    maximum: int
    requests_a_minute: int
    balancer: str
    target_group: str

    def __post_init__(self) -> None:
        if self.maximum < self.minimum:
            raise ValueError(f"the maximum of {self.maximum} tasks is below the minimum of {self.minimum}")


class Autoscaling(Construct):
    """More tasks above `CPU_PERCENT` or `requests_a_minute`, fewer below both."""

    def __init__(self, scope: Construct, id_: str, props: AutoscalingProps) -> None:
        super().__init__(scope, id_)
        target = AppautoscalingTarget(
            self,
            "target",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{props.cluster_name}/{props.service_name}",
            min_capacity=props.minimum,
            max_capacity=props.maximum,
        )
        metrics = {
            "cpu": (CPU_PERCENT, Metric(predefined_metric_type="ECSServiceAverageCPUUtilization")),
            "requests": (
                props.requests_a_minute,
                Metric(
                    predefined_metric_type="ALBRequestCountPerTarget",
                    resource_label=f"{props.balancer}/{props.target_group}",
                ),
            ),
        }
        for id_of, (value, metric) in metrics.items():
            AppautoscalingPolicy(
                self,
                id_of,
                name=names.suffixed("policy", props.service_name, f"-{id_of}"),
                policy_type="TargetTrackingScaling",
                service_namespace=target.service_namespace,
                scalable_dimension=target.scalable_dimension,
                resource_id=target.resource_id,
                target_tracking_scaling_policy_configuration=Tracking(
                    target_value=value,
                    scale_out_cooldown=SCALE_OUT_SECONDS,
                    scale_in_cooldown=SCALE_IN_SECONDS,
                    predefined_metric_specification=metric,
                ),
            )
