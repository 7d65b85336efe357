"""An Application Load Balancer for OMERO.web."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.lb import Lb, LbAccessLogs
from cdktf_cdktf_provider_aws.lb_listener import LbListener, LbListenerDefaultAction
from cdktf_cdktf_provider_aws.lb_target_group import (
    LbTargetGroup,
    LbTargetGroupHealthCheck,
    LbTargetGroupStickiness,
)
from constructs import Construct

from modules.addresses import MAIN
from modules.audit import skip
from modules.security_group import SecurityGroup, SecurityGroupProps

HTTP_PORT = 80
# A working day: the balancer's cookie outlives the session in OMERO.web (86,500 s in the original).
STICKINESS_SECONDS = 86_500


@dataclass(frozen=True, kw_only=True)
class LoadBalancerProps:
    """`target_port` is the containers'; `cidrs` are the address ranges that may connect."""

    name: str
    target_group_name: str
    vpc_id: str
    subnet_ids: Sequence[str]
    cidrs: Sequence[str]
    target_port: int
    health_path: str
    health_codes: str
    access_log_bucket: str
    retain: bool


class LoadBalancer(Construct):
    """`dns_name`, `security_group_id`, `target_group_arn`; services wait for `listener`."""

    def __init__(self, scope: Construct, id_: str, props: LoadBalancerProps) -> None:
        super().__init__(scope, id_)
        group = SecurityGroup(
            self,
            "security_group",
            SecurityGroupProps(
                name=f"{props.name}-balancer", description="OMERO.web load balancer", vpc_id=props.vpc_id
            ),
        )
        group.allow_in_from_cidrs("http", cidrs=props.cidrs, port=HTTP_PORT, description="OMERO.web over HTTP")
        balancer = Lb(
            self,
            MAIN,
            name=props.name,
            load_balancer_type="application",
            internal=False,
            subnets=list(props.subnet_ids),
            security_groups=[group.id],
            drop_invalid_header_fields=True,
            enable_deletion_protection=props.retain,
            # Seconds; a large rendering may keep a browser waiting.
            idle_timeout=120,
            access_logs=LbAccessLogs(bucket=props.access_log_bucket, enabled=True),
        )
        skip(
            balancer,
            CKV2_AWS_20="this topology has no certificate: it is reached over HTTP by the balancer's DNS name",
            CKV2_AWS_28="who may connect is limited to the workspace's own networks by the security group",
        )
        if not props.retain:
            skip(balancer, CKV_AWS_150="the workspace says retain: false")
        target_group = LbTargetGroup(
            self,
            "target_group",
            name=props.target_group_name,
            vpc_id=props.vpc_id,
            port=props.target_port,
            protocol="HTTP",
            target_type="ip",
            # Seconds that a request under way is left to finish when a container goes.
            deregistration_delay="60",
            health_check=LbTargetGroupHealthCheck(
                path=props.health_path,
                matcher=props.health_codes,
                interval=30,
                timeout=10,
                healthy_threshold=2,
                unhealthy_threshold=5,
            ),
            stickiness=LbTargetGroupStickiness(type="lb_cookie", cookie_duration=STICKINESS_SECONDS),
        )
        skip(target_group, CKV_AWS_378="containers speak HTTP inside the VPC; OMERO.web has no TLS of its own")
        self.listener = LbListener(
            self,
            "http",
            load_balancer_arn=balancer.arn,
            port=HTTP_PORT,
            protocol="HTTP",
            default_action=[LbListenerDefaultAction(type="forward", target_group_arn=target_group.arn)],
        )
        skip(
            self.listener,
            CKV_AWS_2="this topology has no certificate; choose one with TLS where data leaves your network",
            CKV_AWS_103="this topology has no certificate, so there is no TLS version to set",
        )
        self.dns_name = balancer.dns_name
        self.security_group_id = group.id
        self.target_group_arn = target_group.arn
