"""What makes `rw-tls` this topology: a name, a certificate, HTTPS, and HTTP redirected to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from tests.conftest import Stacks, container, of_type, only, workspace

TLS: dict[str, Any] = {"domain_name": "omero.example.org", "hosted_zone_id": "Z0123456789ABCDEFGHIJ"}
CHANGES: dict[str, Any] = {"topology": "rw-tls", "tls": TLS}


@pytest.fixture
def omero(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise(**CHANGES)["omero"]


@pytest.fixture
def frontend(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise(**CHANGES)["frontend"]


def test_https_is_served_with_tls_1_3_and_the_validated_certificate(frontend: dict[str, Any]) -> None:
    https = of_type(frontend, "aws_lb_listener")["balancer_https"]
    assert (https["port"], https["protocol"]) == (443, "HTTPS")
    assert https["ssl_policy"].startswith("ELBSecurityPolicy-TLS13-")
    assert https["certificate_arn"] == "${aws_acm_certificate_validation.certificate_validation.certificate_arn}"


def test_a_request_for_another_name_is_refused(frontend: dict[str, Any]) -> None:
    """OMERO.web takes any name for its own (`omero.web.allowed_hosts` is `*`): health checks have none."""
    (refused,) = of_type(frontend, "aws_lb_listener")["balancer_https"]["default_action"]
    assert (refused["type"], refused["fixed_response"]["status_code"]) == ("fixed-response", "421")
    rule = only(frontend, "aws_lb_listener_rule")
    assert rule["listener_arn"] == "${aws_lb_listener.balancer_https.arn}"
    assert rule["condition"] == [{"host_header": {"values": [TLS["domain_name"]]}}]
    assert [action["type"] for action in rule["action"]] == ["forward"]


def test_http_is_redirected(frontend: dict[str, Any]) -> None:
    listeners = of_type(frontend, "aws_lb_listener")
    assert set(listeners) == {"balancer_http", "balancer_https"}
    (action,) = listeners["balancer_http"]["default_action"]
    assert action["type"] == "redirect"
    place = {"host": TLS["domain_name"], "port": "443", "protocol": "HTTPS"}
    assert action["redirect"] == {**place, "status_code": "HTTP_301"}


def test_the_certificates_proof_goes_with_the_stack(frontend: dict[str, Any]) -> None:
    record = of_type(frontend, "aws_route53_record")["certificate_proof"]
    assert record["zone_id"] == TLS["hosted_zone_id"]
    assert record["name"].startswith("${tolist(aws_acm_certificate.certificate.domain_validation_options)[0]")
    validation = only(frontend, "aws_acm_certificate_validation")
    assert validation["validation_record_fqdns"] == ["${aws_route53_record.certificate_proof.fqdn}"]
    assert only(frontend, "aws_acm_certificate")["lifecycle"]["create_before_destroy"] is True


def test_the_name_leads_to_the_balancer(frontend: dict[str, Any], omero: dict[str, Any]) -> None:
    record = of_type(frontend, "aws_route53_record")["web_name"]
    assert (record["name"], record["type"]) == ("omero.example.org", "A")
    assert record["alias"]["name"] == "${aws_lb.balancer.dns_name}"
    assert omero["output"]["web_url"]["value"] == "https://omero.example.org"


def test_both_ports_are_for_the_workspaces_networks_only(frontend: dict[str, Any]) -> None:
    rules = of_type(frontend, "aws_vpc_security_group_ingress_rule").values()
    assert {(rule["cidr_ipv4"], rule["from_port"]) for rule in rules if "cidr_ipv4" in rule} == {
        ("192.0.2.0/24", 80),
        ("192.0.2.0/24", 443),
        ("198.51.100.0/24", 80),
        ("198.51.100.0/24", 443),
    }


def test_web_knows_that_it_is_behind_tls(omero: dict[str, Any]) -> None:
    variables = {variable["name"]: variable["value"] for variable in container(omero, "web")["environment"]}
    assert variables["CONFIG_omero_web_session__cookie__secure"] == "true"
    assert variables["CONFIG_omero_web_csrf__cookie__secure"] == "true"
    assert json.loads(variables["CONFIG_omero_web_csrf__trusted__origins"]) == ["https://omero.example.org"]
    assert json.loads(variables["CONFIG_omero_web_secure__proxy__ssl__header"]) == ["HTTP_X_FORWARDED_PROTO", "https"]


def test_web_without_tls_sends_its_cookies_over_http(synthesise: Callable[..., Stacks]) -> None:
    names = {variable["name"] for variable in container(synthesise()["omero"], "web")["environment"]}
    assert not [name for name in names if "cookie" in name or "ssl" in name]


def test_hsts_is_optional(synthesise: Callable[..., Stacks], frontend: dict[str, Any]) -> None:
    header = "routing_http_response_strict_transport_security_header_value"
    assert header not in of_type(frontend, "aws_lb_listener")["balancer_https"]
    strict = synthesise(topology="rw-tls", tls={**TLS, "hsts_days": 365})["frontend"]
    assert of_type(strict, "aws_lb_listener")["balancer_https"][header] == "max-age=31536000"


def test_an_existing_certificate_is_used(synthesise: Callable[..., Stacks]) -> None:
    arn = "arn:aws:acm:eu-central-1:111122223333:certificate/0f2c"
    frontend = synthesise(topology="rw-tls", tls={**TLS, "certificate_arn": arn})["frontend"]
    assert of_type(frontend, "aws_lb_listener")["balancer_https"]["certificate_arn"] == arn
    assert not of_type(frontend, "aws_acm_certificate")


def test_an_internal_balancer_has_private_addresses(synthesise: Callable[..., Stacks]) -> None:
    balancer = only(synthesise(**CHANGES, access={"internal": True})["frontend"], "aws_lb")
    assert balancer["internal"] is True
    assert all("private" in subnet for subnet in balancer["subnets"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"topology": "rw-tls"}, r"tls\n  topology rw-tls needs this section"),
        ({"tls": TLS}, r"tls\n  topology rw-http does not use this section"),
        ({"topology": "rw-tls", "tls": {**TLS, "domain_name": "localhost"}}, "localhost is not a full domain name"),
        (
            {"topology": "rw-tls", "tls": {**TLS, "hosted_zone_id": "example.org"}},
            "is not a valid id of a Route 53 hosted zone",
        ),
    ],
)
def test_refuses_what_does_not_fit(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        workspace(**changes)
