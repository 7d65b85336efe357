"""`omero-aws sign-in`: makes the rule, mends it, changes nothing twice, and goes on after a kill at any AWS call."""

from __future__ import annotations

from typing import Any

import botocore.client
import pytest

from containers.sign_in import AUTHENTICATED_PATH
from tests.scripts.sign_in.conftest import CLIENT_SECRET, Stage, way_out
from tests.settings.test_sign_in import LEAST, SINGLE

SINGLE_SIGN_ON = {**SINGLE, "password_arn": SINGLE["password_arn"].replace("eu-central-1", "eu-west-1")}


def asked(rule: dict[str, Any]) -> tuple[list[str], dict[str, Any], str]:
    """The paths of a rule, what it asks the provider, and where it forwards to; it is for OMERO.web's own name."""
    conditions = {each["Field"]: each for each in rule["Conditions"]}
    assert conditions.keys() == {"host-header", "path-pattern"}
    assert conditions["host-header"]["HostHeaderConfig"]["Values"] == ["omero.example.org"]
    first, second = sorted(rule["Actions"], key=lambda action: int(action["Order"]))
    return (
        conditions["path-pattern"]["PathPatternConfig"]["Values"],
        first["AuthenticateOidcConfig"],
        second["TargetGroupArn"],
    )


def test_makes_one_rule_before_all_of_omero_web(stage: Stage) -> None:
    ran = stage.run("ensure", "--json")
    assert (ran.code, len(ran.changes)) == (0, 1)
    (rule,) = stage.rules
    paths, config, targets = asked(rule)
    assert (rule["Priority"], paths, targets) == ("10", ["/*"], stage.targets)
    assert config == {
        "Issuer": LEAST["issuer"],
        "AuthorizationEndpoint": LEAST["authorization_endpoint"],
        "TokenEndpoint": LEAST["token_endpoint"],
        "UserInfoEndpoint": LEAST["userinfo_endpoint"],
        "ClientId": "omero-web",
        "Scope": "openid email",
        "SessionTimeout": 28_800,
        "SessionCookieName": "AWSELBAuthSessionCookie",
        "OnUnauthenticatedRequest": "authenticate",
    }
    assert stage.run("ensure", "--json").changes == []
    assert stage.run("status").code == 0


def test_as_omeros_log_in_one_path_is_enough(stage: Stage) -> None:
    stage.say({"single_sign_on": SINGLE_SIGN_ON})
    stage.run("ensure")
    (rule,) = stage.rules
    assert asked(rule)[0] == [AUTHENTICATED_PATH]


def test_says_nothing_of_the_secret(stage: Stage) -> None:
    for words in (("ensure", "--dry-run", "--json"), ("ensure", "--json"), ("status", "--json"), ("status",)):
        ran = stage.run(*words)
        assert CLIENT_SECRET not in ran.out + ran.err


def test_a_dry_run_changes_nothing(stage: Stage) -> None:
    ran = stage.run("ensure", "--dry-run")
    assert (ran.code, stage.rules) == (0, [])
    assert "would be done: listener rule 10: created; people sign in at https://login.example.org/realm" in ran.err
    stage.run("ensure")
    before = stage.rules
    assert stage.run("remove", "--dry-run").code == 0
    assert stage.rules == before


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"client_id": "another"}, "ClientId"),
        ({"session_hours": 1}, "SessionTimeout"),
        ({"scope": "openid"}, "Scope"),
        ({"token_endpoint": "https://login.example.org/other"}, "TokenEndpoint"),
        ({"single_sign_on": SINGLE_SIGN_ON}, "name and path"),
    ],
)
def test_a_change_of_the_section_is_told_and_set(stage: Stage, section: dict[str, Any], named: str) -> None:
    stage.run("ensure")
    (before,) = stage.rules
    stage.say(section)
    status = stage.run("status")
    assert status.code == 1
    assert f"the rule has another {named} than wanted" in status.err
    (change,) = stage.run("ensure", "--json").changes
    assert change.startswith(f"listener rule 10: {named} set")
    (after,) = stage.rules
    assert after["RuleArn"] == before["RuleArn"]
    assert stage.run("ensure", "--json").changes == []


def test_a_new_client_secret_is_noticed(stage: Stage) -> None:
    """Nobody can read the old one back: its version is a tag."""
    stage.run("ensure")
    stage.client("secretsmanager").put_secret_value(SecretId=stage.secret, SecretString="correct horse")
    assert "another client secret than wanted" in stage.run("status").err
    (change,) = stage.run("ensure", "--json").changes
    assert "client secret set" in change
    assert stage.run("status").code == 0


def test_what_somebody_changed_is_set_back(stage: Stage) -> None:
    stage.run("ensure")
    elb, (rule,) = stage.client("elbv2"), stage.rules
    elb.modify_rule(
        RuleArn=rule["RuleArn"], Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/never"]}}]
    )
    assert stage.run("status").code == 1
    stage.run("ensure")
    (rule,) = stage.rules
    assert asked(rule)[0] == ["/*"]


def test_removes_its_rule_and_no_other(stage: Stage) -> None:
    stage.run("ensure")
    other = stage.client("elbv2").create_rule(
        ListenerArn=stage.listener,
        Priority=20,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/other"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": stage.targets}],
    )["Rules"][0]["RuleArn"]
    refused = stage.run("remove")
    assert (refused.code, len(stage.rules)) == (2, 2)
    assert "nobody signs in at the identity provider before they reach OMERO.web of workspace lab" in refused.err
    stage.say(None)
    assert stage.run("remove", "--yes").code == 0
    assert [rule["RuleArn"] for rule in stage.rules] == [other]
    assert "nothing to change" in stage.run("remove", "--yes").err
    stage.say({})
    status = stage.run("status")
    assert status.code == 1
    assert "nobody is signed in before workspace lab" in status.err


def test_refuses_without_the_section(stage: Stage) -> None:
    stage.say(None)
    for word in ("ensure", "status"):
        ran = stage.run(word)
        assert ran.code == 2
        assert "workspace lab has no section sign_in; add it to the workspace file" in ran.err


def test_refuses_a_balancer_that_reaches_no_provider(stage: Stage) -> None:
    ec2 = stage.client("ec2")
    (group,) = ec2.describe_security_groups(GroupIds=[stage.group])["SecurityGroups"]
    ec2.revoke_security_group_egress(GroupId=stage.group, IpPermissions=group["IpPermissionsEgress"])
    ran = stage.run("ensure")
    assert (ran.code, stage.rules) == (2, [])
    assert "lets nothing out on port 443" in ran.err
    assert "omero-aws deploy frontend -w lab" in ran.err
    way_out(ec2, stage.group)
    assert stage.run("ensure").code == 0


def test_refuses_a_listener_without_tls(stage: Stage) -> None:
    elb = stage.client("elbv2")
    balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    forward = [{"Type": "forward", "TargetGroupArn": stage.targets}]
    made = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
    stage.client("ssm").put_parameter(
        Name="/omero/lab/frontend/web_listener_arn", Value=made["Listeners"][0]["ListenerArn"], Overwrite=True
    )
    ran = stage.run("ensure")
    assert ran.code == 2
    assert "is on HTTP, and signs people in over HTTPS only" in ran.err


def test_refuses_to_come_after_another_rule(stage: Stage) -> None:
    stage.client("elbv2").create_rule(
        ListenerArn=stage.listener,
        Priority=7,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/open"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": stage.targets}],
    )
    ran = stage.run("ensure")
    assert (ran.code, len(stage.rules)) == (2, 1)
    assert "has a rule that would come first" in ran.err


@pytest.mark.parametrize("value", ['{"client_secret": "hunter2"}', "hunter2\n", " "])
def test_refuses_a_secret_that_is_no_plain_text(stage: Stage, value: str) -> None:
    stage.client("secretsmanager").put_secret_value(SecretId=stage.secret, SecretString=value)
    ran = stage.run("ensure")
    assert (ran.code, stage.rules) == (2, [])
    assert "holds no client secret as plain text" in ran.err
    assert "hunter2" not in ran.err


def test_refuses_a_secret_that_is_not_there(stage: Stage) -> None:
    stage.client("secretsmanager").delete_secret(SecretId=stage.secret)
    for gone in (f"{stage.secret[:-6]}abcdef", stage.secret):
        stage.say({"client_secret_arn": gone})
        ran = stage.run("ensure")
        assert (ran.code, stage.rules) == (2, [])
        assert "there is no such secret with a value" in ran.err


class Killed(BaseException):
    """The process ends here, as by a signal."""


@pytest.mark.parametrize("call", ["GetSecretValue", "CreateRule", "ModifyRule", "AddTags"])
def test_goes_on_after_a_kill_at(stage: Stage, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    if call != "CreateRule":
        stage.run("ensure")
        stage.say({"scope": "openid"})
        stage.client("secretsmanager").put_secret_value(SecretId=stage.secret, SecretString="another")
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def killed(self: Any, name: str, arguments: Any) -> Any:
        answer = original(self, name, arguments)
        if name == call:
            raise Killed
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(botocore.client.BaseClient, "_make_api_call", killed)
        with pytest.raises(Killed):
            stage.run("ensure")
    stage.run("ensure")
    assert len(stage.rules) == 1
    assert stage.run("status").code == 0
    assert stage.run("ensure", "--json").changes == []
