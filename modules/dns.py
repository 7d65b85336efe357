"""A name in a Route 53 hosted zone for a load balancer."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.route53_record import Route53Record, Route53RecordAlias
from constructs import Construct


def alias(
    scope: Construct, id_: str, *, hosted_zone_id: str, name: str, target_dns_name: str, target_zone_id: str
) -> None:
    """An alias record: it costs nothing, follows the balancer's addresses, and goes with it."""
    Route53Record(
        scope,
        id_,
        zone_id=hosted_zone_id,
        name=name,
        type="A",
        alias=Route53RecordAlias(name=target_dns_name, zone_id=target_zone_id, evaluate_target_health=True),
    )
