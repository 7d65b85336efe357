"""Certificates, and load balancers of both kinds: what AWS refuses, and what it says of them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client, Network, until

POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"


def _code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


@pytest.fixture
def domain(client: Client) -> str:
    name = f"{uuid4().hex[:8]}.example.net"
    client("route53").create_hosted_zone(Name=name, CallerReference=name)
    return name


def _request(client: Client, *names: str, **more: Any) -> str:
    asked = {"DomainName": names[0], "ValidationMethod": "DNS", **more}
    if names[1:]:
        asked["SubjectAlternativeNames"] = list(names[1:])
    return str(client("acm").request_certificate(**asked)["CertificateArn"])


def _describe(client: Client, arn: str) -> dict[str, Any]:
    return dict(client("acm").describe_certificate(CertificateArn=arn)["Certificate"])


def _publish(client: Client, arn: str, domain: str, action: str = "UPSERT", *, value: str = "") -> None:
    zones = client("route53").list_hosted_zones()["HostedZones"]
    zone = next(each["Id"] for each in zones if each["Name"] == f"{domain}.")
    records = {each["ResourceRecord"]["Name"]: each["ResourceRecord"] for each in _options(client, arn)}
    changes = [
        {
            "Action": action,
            "ResourceRecordSet": {
                "Name": record["Name"],
                "Type": "CNAME",
                "TTL": 60,
                "ResourceRecords": [{"Value": value or record["Value"]}],
            },
        }
        for record in records.values()
    ]
    client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def _options(client: Client, arn: str) -> list[dict[str, Any]]:
    return list(_describe(client, arn)["DomainValidationOptions"])


def _issued(client: Client, domain: str) -> str:
    arn = _request(client, domain)
    _publish(client, arn, domain)
    until(lambda: _describe(client, arn)["Status"] == "ISSUED")
    return arn


def test_certificate_waits_for_its_records(client: Client, domain: str) -> None:
    arn = _request(client, domain, f"*.{domain}", f"a.{domain}", KeyAlgorithm="EC_prime256v1")
    described = _describe(client, arn)
    assert (described["Status"], described["KeyAlgorithm"]) == ("PENDING_VALIDATION", "EC_prime256v1")
    assert "NotAfter" not in described
    options = {each["DomainName"]: each["ResourceRecord"] for each in _options(client, arn)}
    assert options[domain] == options[f"*.{domain}"] != options[f"a.{domain}"]
    _publish(client, arn, domain, value="_other.acm-validations.aws.")
    assert _describe(client, arn)["Status"] == "PENDING_VALIDATION"
    _publish(client, arn, domain)
    until(lambda: _describe(client, arn)["Status"] == "ISSUED")
    # The names are validated for the account: another certificate for them needs no other records.
    other = _request(client, domain)
    until(lambda: _describe(client, other)["Status"] == "ISSUED")


def test_certificate_without_a_zone_stays_pending(client: Client) -> None:
    arn = _request(client, "nowhere.example.com")
    assert _describe(client, arn)["Status"] == "PENDING_VALIDATION"
    client("acm").delete_certificate(CertificateArn=arn)


@pytest.fixture
def balancer(client: Client, network: Network) -> str:
    name = f"b-{uuid4().hex[:8]}"
    made = client("elbv2").create_load_balancer(Name=name, Subnets=network.subnets, Type="application")
    return str(made["LoadBalancers"][0]["LoadBalancerArn"])


def _https(client: Client, balancer: str, certificate: str | None, policy: str = POLICY, port: int = 443) -> str:
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    made = client("elbv2").create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=port,
        SslPolicy=policy,
        Certificates=[{"CertificateArn": certificate}] if certificate else [],
        DefaultActions=[answer],
    )
    return str(made["Listeners"][0]["ListenerArn"])


def test_https_needs_an_issued_certificate_and_a_policy_that_exists(client: Client, balancer: str, domain: str) -> None:
    pending = _request(client, f"late.{domain}")
    for certificate, policy, code in (
        (None, POLICY, "ValidationError"),
        (pending, POLICY, "UnsupportedCertificate"),
        (pending[:-4] + "0000", POLICY, "CertificateNotFound"),
        (pending, "ELBSecurityPolicy-None", "SSLPolicyNotFound"),
    ):
        with pytest.raises(ClientError) as raised:
            _https(client, balancer, certificate, policy)
        assert _code(raised) == code
    issued = _issued(client, domain)
    listener = _https(client, balancer, issued)
    with pytest.raises(ClientError) as raised:
        _https(client, balancer, issued)
    assert _code(raised) == "DuplicateListener"
    assert _describe(client, issued)["InUseBy"] == [balancer]
    with pytest.raises(ClientError) as raised:
        client("acm").delete_certificate(CertificateArn=issued)
    assert _code(raised) == "ResourceInUseException"
    client("elbv2").delete_listener(ListenerArn=listener)
    client("acm").delete_certificate(CertificateArn=issued)


def test_listener_has_the_attributes_of_its_protocol(client: Client, balancer: str, domain: str) -> None:
    elb = client("elbv2")
    listener = _https(client, balancer, _issued(client, domain))
    header = "routing.http.response.strict_transport_security.header_value"
    elb.modify_listener_attributes(ListenerArn=listener, Attributes=[{"Key": header, "Value": "max-age=300"}])
    found = elb.describe_listener_attributes(ListenerArn=listener)["Attributes"]
    assert {each["Key"]: each["Value"] for each in found}[header] == "max-age=300"
    with pytest.raises(ClientError) as raised:
        elb.modify_listener_attributes(
            ListenerArn=listener, Attributes=[{"Key": "tcp.idle_timeout.seconds", "Value": "60"}]
        )
    assert _code(raised) == "InvalidConfigurationRequest"


def test_application_balancer_needs_two_zones(client: Client, network: Network) -> None:
    with pytest.raises(ClientError) as raised:
        client("elbv2").create_load_balancer(Name="one-zone", Subnets=network.subnets[:1], Type="application")
    assert _code(raised) == "ValidationError"


def test_network_balancer(client: Client, network: Network, balancer: str) -> None:
    elb, name = client("elbv2"), f"n-{uuid4().hex[:8]}"
    made = elb.create_load_balancer(Name=name, Subnets=network.subnets, Type="network", SecurityGroups=[network.group])[
        "LoadBalancers"
    ][0]
    arn = made["LoadBalancerArn"]
    assert f":loadbalancer/net/{name}/" in arn
    assert made["DNSName"].endswith(".elb.eu-west-1.amazonaws.com")
    enforced = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
    assert made[enforced] == "on"
    with pytest.raises(ClientError) as raised:
        elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[])
    assert _code(raised) == "InvalidConfigurationRequest"
    elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[network.group], **{enforced: "off"})
    assert elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0][enforced] == "off"
    with pytest.raises(ClientError) as raised:
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "60"}]
        )
    assert _code(raised) == "InvalidConfigurationRequest"

    group = elb.create_target_group(Name=name, Protocol="TCP", Port=4064, VpcId=network.vpc, TargetType="ip")
    group_arn = group["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group_arn}]
    with pytest.raises(ClientError) as raised:
        elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
    assert _code(raised) == "IncompatibleProtocols"
    listener = elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=4064, DefaultActions=forward)
    assert elb.describe_target_groups(Names=[name])["TargetGroups"][0]["LoadBalancerArns"] == [arn]
    elb.delete_listener(ListenerArn=listener["Listeners"][0]["ListenerArn"])
    assert elb.describe_target_groups(Names=[name])["TargetGroups"][0]["LoadBalancerArns"] == []


def test_a_balancer_is_internet_facing_unless_told_otherwise(client: Client, network: Network) -> None:
    elb = client("elbv2")
    for asked, scheme in (({}, "internet-facing"), ({"Scheme": "internal"}, "internal")):
        made = elb.create_load_balancer(Name=f"b-{uuid4().hex[:8]}", Subnets=network.subnets, **asked)
        assert made["LoadBalancers"][0]["Scheme"] == scheme
