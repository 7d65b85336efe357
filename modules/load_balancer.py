"""An Application Load Balancer for OMERO.web, with TLS or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.lb import Lb, LbAccessLogs
from cdktf_cdktf_provider_aws.lb_listener import (
    LbListener,
    LbListenerDefaultAction,
    LbListenerDefaultActionFixedResponse,
    LbListenerDefaultActionRedirect,
)
from cdktf_cdktf_provider_aws.lb_listener_rule import (
    LbListenerRule,
    LbListenerRuleAction,
    LbListenerRuleCondition,
    LbListenerRuleConditionHostHeader,
)
from cdktf_cdktf_provider_aws.lb_target_group import (
    LbTargetGroup,
    LbTargetGroupHealthCheck,
    LbTargetGroupStickiness,
)
from constructs import Construct

from contract import names
from modules.addresses import MAIN
from modules.audit import skip
from modules.container import Target
from modules.security_group import SecurityGroup, SecurityGroupProps
from modules.web_serving import DRAIN_SECONDS, HEALTH_SECONDS, IDLE_SECONDS

# Of the rule for our own name; rules of whoever comes before it have smaller numbers.
HOST_PRIORITY = 100
HTTP_PORT = 80
HTTPS_PORT = 443
# TLS 1.3 and 1.2, with the ciphers that have forward secrecy.
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
# A working day: the balancer's cookie outlives the session in OMERO.web (86,500 s in the original).
STICKINESS_SECONDS = 86_500


@dataclass(frozen=True, kw_only=True)
class TlsProps:
    """`domain_name` is the only name that is served.

    `hsts_seconds` is how long browsers shall insist on HTTPS; None does not ask them to.
    """

    domain_name: str
    certificate_arn: str
    hsts_seconds: int | None = None


@dataclass(frozen=True, kw_only=True)
class LoadBalancerProps:
    """`target_port` is the containers'; `cidrs` are the address ranges that may connect.

    With `tls`, HTTP is redirected to HTTPS; `tls` None serves HTTP. One that `signs_in` reaches an identity provider.
    """

    name: str
    target_group_name: str
    vpc_id: str
    subnet_ids: Sequence[str]
    cidrs: Sequence[str]
    target_port: int
    health_path: str
    health_codes: str
    access_log_bucket: str
    internal: bool
    retain: bool
    tls: TlsProps | None = None
    signs_in: bool = False


class LoadBalancer(Construct):
    """`dns_name`, `zone_id`, `security_group_id`; a service registers with `targets`.

    CloudWatch knows it by `arn_suffix`, and its containers by `target_group_arn_suffix`. `listener_arn` is that of the
    listener that serves people, `arn` the balancer's, and `target_group_arn` its containers'.
    """

    def __init__(self, scope: Construct, id_: str, props: LoadBalancerProps) -> None:
        super().__init__(scope, id_)
        group = SecurityGroup(
            self,
            "security_group",
            SecurityGroupProps(
                name=names.suffixed("security_group", props.name, "-balancer"),
                description="OMERO.web load balancer",
                vpc_id=props.vpc_id,
            ),
        )
        group.allow_in_from_cidrs("http", cidrs=props.cidrs, port=HTTP_PORT, description="OMERO.web over HTTP")
        if props.tls:
            group.allow_in_from_cidrs("https", cidrs=props.cidrs, port=HTTPS_PORT, description="OMERO.web over HTTPS")
        if props.signs_in:
            # Wherever the provider is: it has a name, and no addresses of its own to be relied on.
            group.allow_out_to_anywhere("identity_provider", port=HTTPS_PORT, description="Identity provider")
        balancer = Lb(
            self,
            MAIN,
            name=props.name,
            load_balancer_type="application",
            internal=props.internal,
            subnets=list(props.subnet_ids),
            security_groups=[group.id],
            drop_invalid_header_fields=True,
            enable_deletion_protection=props.retain,
            idle_timeout=IDLE_SECONDS,
            access_logs=LbAccessLogs(bucket=props.access_log_bucket, enabled=True),
        )
        if not props.internal:
            skip(
                balancer,
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
            deregistration_delay=str(DRAIN_SECONDS),
            health_check=LbTargetGroupHealthCheck(
                path=props.health_path,
                matcher=props.health_codes,
                interval=30,
                timeout=HEALTH_SECONDS,
                healthy_threshold=2,
                unhealthy_threshold=5,
            ),
            stickiness=LbTargetGroupStickiness(type="lb_cookie", cookie_duration=STICKINESS_SECONDS),
        )
        ends = "the balancer ends TLS; the way to its containers is private, and open to it alone"
        skip(target_group, CKV_AWS_378=ends if props.tls else "this topology has no certificate")
        serves = (
            self._https(balancer, target_group, props.tls) if props.tls else self._http_only(balancer, target_group)
        )
        self.arn = balancer.arn
        self.listener_arn = serves.arn
        self.target_group_arn = target_group.arn
        self.arn_suffix = balancer.arn_suffix
        self.target_group_arn_suffix = target_group.arn_suffix
        self.dns_name = balancer.dns_name
        self.zone_id = balancer.zone_id
        self.security_group_id = group.id
        self.targets = [Target(arn=target_group.arn, port=props.target_port, balancer=group, description="OMERO.web")]

    def _http_only(self, balancer: Lb, target_group: LbTargetGroup) -> LbListener:
        skip(
            balancer,
            CKV2_AWS_20="this topology has no certificate: it is reached over HTTP by the balancer's DNS name",
        )
        listener = LbListener(
            self,
            "http",
            load_balancer_arn=balancer.arn,
            port=HTTP_PORT,
            protocol="HTTP",
            default_action=[LbListenerDefaultAction(type="forward", target_group_arn=target_group.arn)],
        )
        skip(
            listener,
            CKV_AWS_2="this topology has no certificate; choose one with TLS where data leaves your network",
            CKV_AWS_103="this topology has no certificate, so there is no TLS version to set",
        )
        return listener

    def _https(self, balancer: Lb, target_group: LbTargetGroup, tls: TlsProps) -> LbListener:
        """OMERO.web makes links of whatever name a request is for, so there is one name alone: 421 for any other."""
        redirect = LbListenerDefaultActionRedirect(
            status_code="HTTP_301", protocol="HTTPS", host=tls.domain_name, port=str(HTTPS_PORT)
        )
        LbListener(
            self,
            "http",
            load_balancer_arn=balancer.arn,
            port=HTTP_PORT,
            protocol="HTTP",
            default_action=[LbListenerDefaultAction(type="redirect", redirect=redirect)],
        )
        hsts = f"max-age={tls.hsts_seconds}" if tls.hsts_seconds else None
        listener = LbListener(
            self,
            "https",
            load_balancer_arn=balancer.arn,
            port=HTTPS_PORT,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=tls.certificate_arn,
            routing_http_response_strict_transport_security_header_value=hsts,
            default_action=[
                LbListenerDefaultAction(
                    type="fixed-response",
                    fixed_response=LbListenerDefaultActionFixedResponse(
                        status_code="421",
                        content_type="text/plain",
                        message_body=f"OMERO.web is at https://{tls.domain_name}/ alone.",
                    ),
                )
            ],
        )
        LbListenerRule(
            self,
            "own_name",
            listener_arn=listener.arn,
            priority=HOST_PRIORITY,
            condition=[
                LbListenerRuleCondition(host_header=LbListenerRuleConditionHostHeader(values=[tls.domain_name]))
            ],
            action=[LbListenerRuleAction(type="forward", target_group_arn=target_group.arn)],
        )
        return listener
