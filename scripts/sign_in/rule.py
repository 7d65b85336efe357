"""The rule of the listener by which the balancer signs people in.

Terraform's provider keeps the client secret of such a rule in the state (5.100.0, `aws_lb_listener_rule`), so a script
makes it. It goes with its listener.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from containers.sign_in import AUTHENTICATED_PATH
from contract.outputs import Frontend
from scripts import aws
from scripts.changes import Changes
from scripts.errors import Refused
from scripts.ingest.deployment import deploy_command
from scripts.sign_in.context import MANAGER, SignInContext

PRIORITY = 10
"""Before any other rule: what comes first decides."""
EVERYTHING = "/*"
SECRET_TAG = "ClientSecretVersion"  # noqa: S105 - a name
"""On the rule: the version of the client secret that it has, which nobody can read back."""
HTTPS_PORT = 443
# Of DescribeTags (API reference).
ARNS_A_CALL = 20


def ensure(context: SignInContext, changes: Changes) -> None:
    """Have the rule that the workspace asks for.

    Raises:
        Refused: the listener, the balancer's security group or the secret cannot serve, or another rule is in the way;
            nothing was changed.
    """
    _check_listener(context)
    _check_way_out(context)
    found, version = find(context), secret_version(context)
    if found is None:
        _check_priority(context)
        secret = _secret(context, version)
        changes.do(
            f"listener rule {PRIORITY}: created; {shown(context)}",
            lambda: context.elb.create_rule(
                ListenerArn=context.listener_arn,
                Priority=PRIORITY,
                Conditions=_conditions(context),
                Actions=_actions(context, secret),
                Tags=aws.tag_list({**context.tags, SECRET_TAG: version}),
            ),
        )
        return
    differing = differences(context, found, version)
    if differing:
        arn, secret = found["RuleArn"], _secret(context, version)

        def setting() -> None:
            context.elb.modify_rule(RuleArn=arn, Conditions=_conditions(context), Actions=_actions(context, secret))
            # Last: without it the next run sets all of it again.
            context.elb.add_tags(ResourceArns=[arn], Tags=aws.tag_list({**context.tags, SECRET_TAG: version}))

        changes.do(f"listener rule {PRIORITY}: {', '.join(differing)} set; {shown(context)}", setting)


def remove(context: SignInContext, changes: Changes) -> None:
    """Have no such rule."""
    found = find(context)
    if found:
        changes.do(
            f"listener rule {PRIORITY}: deleted",
            lambda: aws.read(lambda: context.elb.delete_rule(RuleArn=found["RuleArn"]), "RuleNotFound"),
        )


def find(context: SignInContext) -> dict[str, Any] | None:
    """The rule as DescribeRules has it, with its tags as a dict; None if there is none, or no listener."""
    deployment = context.deployment
    arn = deployment.published(Frontend.web_listener_arn)
    return find_at(context.elb, arn, deployment.workspace.name) if arn else None


def find_at(elb: Any, listener_arn: str, workspace: str) -> dict[str, Any] | None:
    """As `find`, of a listener: what a program has made is told by its tags."""
    wanted = {"Workspace": workspace, "ManagedBy": MANAGER}
    rules = {rule["RuleArn"]: rule for rule in _rules(elb, listener_arn) if not rule["IsDefault"]}
    arns = list(rules)
    for first in range(0, len(arns), ARNS_A_CALL):
        for each in elb.describe_tags(ResourceArns=arns[first : first + ARNS_A_CALL])["TagDescriptions"]:
            tags = aws.tag_dict(each["Tags"])
            if wanted.items() <= tags.items():
                return {**rules[each["ResourceArn"]], "Tags": tags}
    return None


def differences(context: SignInContext, found: Mapping[str, Any], version: str) -> list[str]:
    """What of the rule is not as the workspace says, in words."""
    config = _config(found)
    wanted = _provider(context)
    differing = [name for name, value in wanted.items() if config.get(name) != value]
    if _matched(found["Conditions"]) != _matched(_conditions(context)):
        differing.append("name and path")
    if [each.get("TargetGroupArn") for each in found["Actions"] if each["Type"] == "forward"] != [_targets(context)]:
        differing.append("target group")
    if found["Tags"].get(SECRET_TAG) != version:
        differing.append("client secret")
    return differing


def shown(context: SignInContext) -> str:
    """What the rule does, for people."""
    settings = context.settings
    where = "as OMERO's log-in" if settings.single_sign_on else "before all of OMERO.web"
    return f"people sign in at {settings.issuer} {where}"


def secret_version(context: SignInContext) -> str:
    """The current version of the client secret.

    Raises:
        Refused: the secret is not there, is being deleted, or has no value.
    """
    arn, client = context.settings.client_secret_arn, context.deployment.client("secretsmanager")
    found = aws.read(lambda: client.describe_secret(SecretId=arn), "ResourceNotFoundException")
    stages = (found or {}).get("VersionIdsToStages") or {}
    version = next((each for each, names in stages.items() if "AWSCURRENT" in names), None)
    if found is None or found.get("DeletedDate") or version is None:
        raise Refused(
            f"sign_in.client_secret_arn is {arn}, and there is no such secret with a value; store the client secret "
            "that the identity provider gave you, as plain text, and give its ARN."
        )
    return str(version)


def _secret(context: SignInContext, version: str) -> str:
    client, arn = context.deployment.client("secretsmanager"), context.settings.client_secret_arn
    value = client.get_secret_value(SecretId=arn, VersionId=version).get("SecretString") or ""
    if not value or value != value.strip() or value.startswith("{"):
        raise Refused(
            f"the secret {arn} holds no client secret as plain text; store it without blanks, a line's end or keys "
            "around it."
        )
    return str(value)


def _check_listener(context: SignInContext) -> None:
    listener = context.elb.describe_listeners(ListenerArns=[context.listener_arn])["Listeners"][0]
    if listener["Protocol"] != "HTTPS":
        raise Refused(
            f"OMERO.web's load balancer is on {listener['Protocol']}, and signs people in over HTTPS only; run "
            f"`{deploy_command(context.deployment.workspace, Frontend.stack)}` with the section tls first."
        )


def _check_way_out(context: SignInContext) -> None:
    """The balancer asks the identity provider itself."""
    id_ = context.deployment.parameter(Frontend.web_balancer_security_group_id)
    group = context.deployment.client("ec2").describe_security_groups(GroupIds=[id_])["SecurityGroups"][0]
    ports = [rule.get("FromPort") for rule in group["IpPermissionsEgress"]]
    if HTTPS_PORT not in ports:
        raise Refused(
            f"the load balancer's security group {id_} lets nothing out on port {HTTPS_PORT}, so no identity provider "
            f"can be asked; run `{deploy_command(context.deployment.workspace, Frontend.stack)}` first."
        )


def _check_priority(context: SignInContext) -> None:
    others = [rule["RuleArn"] for rule in _rules(context.elb, context.listener_arn) if _number(rule) <= PRIORITY]
    if others:
        raise Refused(
            f"the listener has a rule that would come first: {', '.join(others)}; give it a priority above {PRIORITY} "
            "(`aws elbv2 set-rule-priorities`), or delete it."
        )


def _rules(elb: Any, listener_arn: str) -> list[Any]:
    found = aws.read(
        lambda: list(aws.rows(elb, "describe_rules", "Rules", ListenerArn=listener_arn)), "ListenerNotFound"
    )
    return found or []


def _number(rule: Mapping[str, Any]) -> float:
    return float("inf") if rule["IsDefault"] else int(rule["Priority"])


def _path(context: SignInContext) -> str:
    """What people have to sign in for. Not the host: whoever asks may send any."""
    return AUTHENTICATED_PATH if context.settings.single_sign_on else EVERYTHING


def _conditions(context: SignInContext) -> list[dict[str, Any]]:
    """OMERO.web's own name alone, as the rules after this one have it."""
    tls = context.deployment.workspace.tls
    assert tls is not None  # noqa: S101 - there is no sign-in without it
    return [
        {"Field": "host-header", "HostHeaderConfig": {"Values": [tls.domain_name]}},
        {"Field": "path-pattern", "PathPatternConfig": {"Values": [_path(context)]}},
    ]


def _matched(conditions: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What conditions match, by their field; AWS gives the values in an older form as well."""
    configs = {"host-header": "HostHeaderConfig", "path-pattern": "PathPatternConfig"}
    return {each["Field"]: (each.get(configs.get(each["Field"], "")) or {}).get("Values", []) for each in conditions}


def _targets(context: SignInContext) -> str:
    return context.deployment.parameter(Frontend.web_target_group_arn)


def _provider(context: SignInContext) -> dict[str, Any]:
    settings = context.settings
    return {
        "Issuer": settings.issuer,
        "AuthorizationEndpoint": settings.authorization_endpoint,
        "TokenEndpoint": settings.token_endpoint,
        "UserInfoEndpoint": settings.userinfo_endpoint,
        "ClientId": settings.client_id,
        "Scope": settings.scope,
        "SessionTimeout": settings.session_hours * 3_600,
        "SessionCookieName": "AWSELBAuthSessionCookie",
        "OnUnauthenticatedRequest": "authenticate",
    }


def _actions(context: SignInContext, secret: str) -> list[dict[str, Any]]:
    return [
        {
            "Type": "authenticate-oidc",
            "Order": 1,
            "AuthenticateOidcConfig": {**_provider(context), "ClientSecret": secret},
        },
        {"Type": "forward", "Order": 2, "TargetGroupArn": _targets(context)},
    ]


def _config(found: Mapping[str, Any]) -> dict[str, Any]:
    return next((each["AuthenticateOidcConfig"] for each in found["Actions"] if "AuthenticateOidcConfig" in each), {})
