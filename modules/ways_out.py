"""What drains keeps its way out: the rules of security groups outlive what runs behind them.

Terraform destroys what nothing depends on first, all at once. Rules would go before a server that still writes to its
database and file system: EC2 closes even connections that it tracks once their rule is gone and they fall idle (EC2
User Guide, "Connection tracking").
"""

from __future__ import annotations

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.autoscaling_group import AutoscalingGroup
from cdktf_cdktf_provider_aws.datasync_task import DatasyncTask
from cdktf_cdktf_provider_aws.ecs_service import EcsService
from cdktf_cdktf_provider_aws.instance import Instance
from cdktf_cdktf_provider_aws.lambda_function import LambdaFunction
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule

_RULES = (VpcSecurityGroupEgressRule, VpcSecurityGroupIngressRule)
_RUNNING = (AutoscalingGroup, DatasyncTask, EcsService, Instance, LambdaFunction)


def keep_ways_out(stack: TerraformStack) -> None:
    """Have all that runs in `stack` depend on every rule in it. Call it once the stack is complete."""
    resources = stack.node.find_all()
    rules = [
        f"{each.terraform_resource_type}.{each.friendly_unique_id}" for each in resources if isinstance(each, _RULES)
    ]
    for each in resources:
        if isinstance(each, _RUNNING):
            each.depends_on = sorted({*(each.depends_on or ()), *rules})
