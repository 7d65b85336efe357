"""Rules that sign people in: on HTTPS listeners only, and the client secret never comes back."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client, Network
from local_aws.tests.test_balancers import _code, _https, _issued, balancer, domain

__all__ = ["balancer", "domain"]

PROVIDER = {
    "Issuer": "https://login.example.org/realm",
    "AuthorizationEndpoint": "https://login.example.org/authorize",
    "TokenEndpoint": "https://login.example.org/token",
    "UserInfoEndpoint": "https://login.example.org/userinfo",
    "ClientId": "omero-web",
}
SECRET = "hunter2"
ANSWER = {"Type": "fixed-response", "Order": 2, "FixedResponseConfig": {"StatusCode": "404"}}
PATH = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/in/"]}}]


def signs_in(**changes: Any) -> dict[str, Any]:
    config = {**PROVIDER, "ClientSecret": SECRET, **changes}
    return {
        "Type": "authenticate-oidc",
        "Order": 1,
        "AuthenticateOidcConfig": {key: value for key, value in config.items() if value is not None},
    }


@pytest.fixture
def listener(client: Client, balancer: str, domain: str) -> str:
    return _https(client, balancer, _issued(client, domain))


def create(client: Client, listener: str, *actions: dict[str, Any]) -> dict[str, Any]:
    made = client("elbv2").create_rule(
        ListenerArn=listener, Priority=1, Conditions=PATH, Actions=list(actions), Tags=[{"Key": "Name", "Value": "in"}]
    )
    rule: dict[str, Any] = made["Rules"][0]
    return rule


def config(rule: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = rule["Actions"][0]["AuthenticateOidcConfig"]
    return found


def test_a_secret_is_taken_and_never_given(client: Client, listener: str) -> None:
    elb, filled = client("elbv2"), {**PROVIDER, "Scope": "openid", "SessionTimeout": 604_800}
    filled |= {"SessionCookieName": "AWSELBAuthSessionCookie", "OnUnauthenticatedRequest": "authenticate"}
    made = create(client, listener, signs_in(), ANSWER)
    assert config(made) == filled
    changed = elb.modify_rule(RuleArn=made["RuleArn"], Actions=[signs_in(Scope="openid email"), ANSWER])["Rules"][0]
    assert config(changed) == {**filled, "Scope": "openid email"}
    keeps = signs_in(ClientSecret=None, UseExistingClientSecret=True)
    kept = elb.modify_rule(RuleArn=made["RuleArn"], Actions=[keeps, ANSWER])["Rules"][0]
    assert config(kept) == filled
    for asked in ({"ListenerArn": listener}, {"RuleArns": [made["RuleArn"]]}):
        assert SECRET not in str(elb.describe_rules(**asked))


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ([signs_in(ClientSecret=None), ANSWER], "A client secret must be specified"),
        ([signs_in(ClientSecret=None, UseExistingClientSecret=True), ANSWER], "A client secret must be specified"),
        ([signs_in(UseExistingClientSecret=True), ANSWER], "cannot both specify a client secret"),
        ([signs_in(TokenEndpoint="http://login.example.org/token"), ANSWER], "TokenEndpoint must be a full URL"),
        ([signs_in(SessionTimeout=604_801), ANSWER], "SessionTimeout must be from 1 to"),
        ([signs_in()], "exactly one forward, redirect or fixed-response"),
        ([{**signs_in(), "Order": 3}, ANSWER], "which is performed last"),
    ],
)
def test_refuses(client: Client, listener: str, actions: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ClientError, match=said) as raised:
        create(client, listener, *actions)
    assert _code(raised) == "InvalidLoadBalancerAction"


def test_only_an_https_listener_signs_in(client: Client, network: Network, balancer: str) -> None:
    elb = client("elbv2")
    with pytest.raises(ClientError) as raised:
        elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[signs_in(), ANSWER])
    assert _code(raised) == "InvalidLoadBalancerAction"
    plain = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[ANSWER])
    http = plain["Listeners"][0]["ListenerArn"]
    with pytest.raises(ClientError) as raised:
        create(client, http, signs_in(), ANSWER)
    assert _code(raised) == "InvalidLoadBalancerAction"
    with pytest.raises(ClientError) as raised:
        elb.modify_listener(ListenerArn=http, DefaultActions=[signs_in(), ANSWER])
    assert _code(raised) == "InvalidLoadBalancerAction"


def test_a_rule_goes_with_its_listener_and_lets_go_of_its_targets(
    client: Client, network: Network, listener: str
) -> None:
    elb = client("elbv2")
    group = elb.create_target_group(
        Name=f"g-{uuid4().hex[:8]}", Protocol="HTTP", Port=4080, VpcId=network.vpc, TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    rule = create(client, listener, signs_in(), {"Type": "forward", "Order": 2, "TargetGroupArn": group})["RuleArn"]
    assert rule in [each["RuleArn"] for each in elb.describe_rules(ListenerArn=listener)["Rules"]]
    elb.delete_listener(ListenerArn=listener)
    with pytest.raises(ClientError):
        elb.describe_rules(RuleArns=[rule])
    elb.delete_target_group(TargetGroupArn=group)
