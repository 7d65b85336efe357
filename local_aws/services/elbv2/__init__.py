"""Elastic Load Balancing v2: both kinds of load balancers as Terraform reads them back, with AWS's refusals.

moto 5.2.5 deletes a protected load balancer, and takes any bucket for access logs: AWS writes a test object first, and
refuses a bucket that is missing, whose policy does not allow that, or that is encrypted with a KMS key
(https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html). It calls
every registered target healthy. AWS says `unused` where no listener forwards to the target group,
and `initial` until the first health checks have passed
(https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html).
Targets of `local_aws.services.ecs` are `initial` until their task is healthy; others are healthy at once, as in moto.
A target is known by its id alone, as in moto: one address with two ports is one target.

moto gives a network load balancer the ARN, the DNS name and the attributes of an application load balancer (`app/` in
the ARN, by which metrics and permissions are named), drops EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic, has
an invented hosted zone, and takes one subnet for an application load balancer. AWS does not put security groups on
a network load balancer that was made without
(https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html).

moto creates a listener with a security policy or a certificate that does not exist, with a certificate that is not
issued, without any for HTTPS, on a port that is taken, and with a target group of another protocol; gives it attributes
of a TCP listener whatever it is, takes any other, and leaves target groups associated when a listener or
a load balancer goes. See `listeners` and `target_groups` for what AWS says instead, and `rules` for actions that
authenticate.
"""

from __future__ import annotations

from local_aws.services.elbv2 import balancers, health, listeners, rules, target_groups


def install() -> None:
    """Put all of it into moto's load balancers."""
    balancers.install()
    listeners.install()
    rules.install()
    target_groups.install()
    health.install()
