"""What signs people in before OMERO.web: the balancer's way out, and the app in the web container."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from containers import package
from tests.conftest import Stacks, container, of_type, variables
from tests.settings.test_sign_in import LEAST, SECRET, SINGLE, TLS


@pytest.fixture
def before(synthesise: Callable[..., Stacks]) -> Stacks:
    """The balancer stands before OMERO's own log-in."""
    return synthesise(**TLS, sign_in=LEAST)


@pytest.fixture
def single(synthesise: Callable[..., Stacks]) -> Stacks:
    """The balancer's sign-in is OMERO's."""
    return synthesise(**TLS, sign_in={**LEAST, "single_sign_on": SINGLE})


def ways_out(stack: dict[str, Any]) -> set[tuple[str, int]]:
    rules = of_type(stack, "aws_vpc_security_group_egress_rule")
    return {
        (rule.get("cidr_ipv4", ""), rule["from_port"])
        for name, rule in rules.items()
        if name.startswith("balancer_security_group")
    }


def test_the_balancer_reaches_an_identity_provider_only_where_it_signs_in(
    before: Stacks, synthesise: Callable[..., Stacks]
) -> None:
    assert ways_out(before["frontend"]) == {("0.0.0.0/0", 443)}
    assert ways_out(synthesise(**TLS)["frontend"]) == set()


def test_no_stack_knows_the_client_secret_or_makes_the_rule(before: Stacks, single: Stacks) -> None:
    for stacks in (before, single):
        text = json.dumps(stacks)
        assert "authenticate" not in text
        assert "client_secret" not in text
        assert set(of_type(stacks["frontend"], "aws_lb_listener_rule")) == {"balancer_own_name"}


def test_scripts_find_the_listener_and_its_containers(before: Stacks) -> None:
    published = {each["name"]: each["value"] for each in of_type(before["frontend"], "aws_ssm_parameter").values()}
    assert published["/omero/lab/frontend/web_listener_arn"] == "${aws_lb_listener.balancer_https.arn}"
    assert published["/omero/lab/frontend/web_target_group_arn"] == "${aws_lb_target_group.balancer_target_group.arn}"


def test_before_omeros_own_log_in_nothing_of_omero_web_changes_but_the_length_of_headers(
    before: Stacks, synthesise: Callable[..., Stacks]
) -> None:
    without = synthesise(**TLS)
    given, plain = variables(before["omero"], "web"), variables(without["omero"], "web")
    arguments = "CONFIG_omero_web_wsgi__args"
    assert given == {**plain, arguments: f"{plain[arguments]} --limit-request-field_size 32768"}
    assert container(before["omero"], "web")["secrets"] == container(without["omero"], "web")["secrets"]


def test_the_app_is_told_whom_to_believe(single: Stacks) -> None:
    given = variables(single["omero"], "web")
    told = json.loads(given["SIGN_IN"])
    assert told == {
        "signer": told["signer"],
        "issuer": LEAST["issuer"],
        "client_id": "omero-web",
        "keys_url": "https://public-keys.auth.elb.eu-central-1.amazonaws.com",
        "user_claim": "email",
        "account": "sign-in",
        "new_user_group": None,
        "session_seconds": 28_800,
    }
    (signer,) = [
        output["value"]
        for name, output in single["frontend"]["output"].items()
        if name in told["signer"] and name.startswith("cross-stack-output")
    ]
    assert signer == "${aws_lb.balancer.arn}"


def test_the_keys_of_govcloud_are_elsewhere(synthesise: Callable[..., Stacks]) -> None:
    secret = SECRET.replace("aws:", "aws-us-gov:", 1).replace("eu-central-1", "us-gov-west-1")
    section = {**LEAST, "client_secret_arn": secret, "single_sign_on": {**SINGLE, "password_arn": secret}}
    stacks = synthesise(**TLS, region="us-gov-west-1", sign_in=section)
    told = json.loads(variables(stacks["omero"], "web")["SIGN_IN"])
    assert told["keys_url"] == "https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1"


def test_the_app_comes_on_top_of_the_images_and_is_the_log_in_page(single: Stacks) -> None:
    web, given = container(single["omero"], "web"), variables(single["omero"], "web")
    assert given["PROGRAM"] == package("sign_in")
    assert given["CONFIG_omero_web_login__view"] == "sign_in"
    assert "CONFIG_omero_web_apps" not in given
    assert given["APPENDED_PROPERTIES"] == """config append -- omero.web.apps '"containers.sign_in"'"""
    assert {"name": "SIGN_IN_PASSWORD", "valueFrom": SECRET} in web["secrets"]


def test_its_password_is_read_by_its_own_task_alone(single: Stacks) -> None:
    readers = [
        name for name, policy in of_type(single["omero"], "aws_iam_role_policy").items() if SECRET in policy["policy"]
    ]
    assert readers == ["web_execution_policy"]


def test_a_task_definition_has_room_for_it(single: Stacks) -> None:
    """64 KiB for all of its containers (ECS service quotas)."""
    definition = of_type(single["omero"], "aws_ecs_task_definition")["web_task_definition"]
    assert len(definition["container_definitions"]) < 32_768


def test_web_waits_for_no_way_of_another_stack(single: Stacks) -> None:
    """Terraform takes whole resources of its own configuration there."""
    waits = of_type(single["omero"], "aws_ecs_service")["web"]["depends_on"]
    assert waits
    assert all(each.count(".") == 1 for each in waits), waits
