"""Target-tracking autoscaling of an ECS service by its processor load."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicy,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification,
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

    Raises:
        ValueError: the most is below the least.
    """

    cluster_name: str
    service_name: str
    minimum: int
    maximum: int

    def __post_init__(self) -> None:
        if self.maximum < self.minimum:
            raise ValueError(f"the maximum of {self.maximum} tasks is below the minimum of {self.minimum}")


class Autoscaling(Construct):
    """More tasks above `CPU_PERCENT`, fewer below."""

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
        AppautoscalingPolicy(
            self,
            "cpu",
            name=names.suffixed("policy", props.service_name, "-cpu"),
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration=AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration(
                target_value=CPU_PERCENT,
                scale_out_cooldown=SCALE_OUT_SECONDS,
                scale_in_cooldown=SCALE_IN_SECONDS,
                predefined_metric_specification=(
                    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification(
                        predefined_metric_type="ECSServiceAverageCPUUtilization"
                    )
                ),
            ),
        )
