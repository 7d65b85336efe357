"""What AWS cannot change in place: refused before Terraform runs, with the way to do it.

A deployed workspace is compared with its file by what its stacks published and by AWS itself. docs/changes.md lists
what is refused here. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import boto3

from contract import names
from contract.outputs import Data, Frontend, Network, Output
from scripts import aws
from scripts.errors import Refused
from scripts.sign_in import rule
from settings import Workspace
from settings.network import ExistingVpc
from settings.network import Network as NetworkSettings

Differing = tuple[str, str, str]
"""A key below `network`, what the file says, and what is deployed."""
PROTECTION = "deletion_protection.enabled"


def check(session: boto3.Session, workspace: Workspace) -> None:
    """Refuse a change of what is deployed that would fail half-way, or take data with it.

    Raises:
        Refused: one sentence for each such change, one a line.
        botocore.exceptions.ClientError: AWS denied a question.
    """
    found = [
        *_network(session, workspace),
        *_key(session, workspace),
        *_balancers(session, workspace),
        *_sign_in(session, workspace),
    ]
    if found:
        raise Refused("\n".join(found))


def _published(session: boto3.Session, workspace: Workspace, output: Output) -> str | None:
    """What the deployed stack published; None before it is deployed."""
    name = f"{names.parameter_path(workspace.name)}/{output.path}"
    ssm = session.client("ssm")
    found: Any = aws.read(lambda: ssm.get_parameter(Name=name)["Parameter"]["Value"], "ParameterNotFound")
    return found if found is None else str(found)


def _network(session: boto3.Session, workspace: Workspace) -> Iterator[str]:
    """A VPC, its subnets and their zones hold database, file system and balancers, and go only after them."""
    vpc_id = _published(session, workspace, Network.vpc_id)
    ec2, settings = session.client("ec2"), workspace.network
    vpcs: Any = vpc_id and aws.read(lambda: ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"], "InvalidVpcID.NotFound")
    if not vpcs:
        return
    subnets = {
        key: (_published(session, workspace, output) or "").split(",")
        for key, output in (
            ("public_subnet", Network.public_subnet_ids),
            ("private_subnet", Network.private_subnet_ids),
        )
    }
    if settings.existing:
        differing = _of_existing_vpc(settings.existing, str(vpc_id), subnets)
    elif aws.tag_dict(vpcs[0].get("Tags", [])).get("Workspace") != workspace.name:
        differing = iter((("existing", "missing", f"the existing VPC {vpc_id}"),))
    else:
        differing = _of_own_vpc(ec2, settings, vpcs[0]["CidrBlock"], subnets)
    for key, wanted, deployed in differing:
        yield (
            f"network.{key} is {wanted}, but OMERO is deployed in {deployed}; set it back, or deploy a second "
            "workspace and move the data there."
        )


def _of_existing_vpc(settings: ExistingVpc, vpc_id: str, subnets: Mapping[str, list[str]]) -> Iterator[Differing]:
    if settings.vpc_id != vpc_id:
        yield "existing.vpc_id", settings.vpc_id, vpc_id
        return
    for key, deployed in subnets.items():
        wanted = list(getattr(settings, f"{key}_ids"))
        if wanted != deployed:
            yield f"existing.{key}_ids", _shown(wanted), _shown(deployed)


def _of_own_vpc(
    ec2: Any, settings: NetworkSettings, cidr: str, subnets: Mapping[str, list[str]]
) -> Iterator[Differing]:
    if settings.cidr != cidr:
        yield "cidr", settings.cidr, cidr
        return
    zones: list[str] = []
    for key, ids in subnets.items():
        answer = ec2.describe_subnets(Filters=[{"Name": "subnet-id", "Values": ids}])["Subnets"]
        found = {subnet["SubnetId"]: subnet for subnet in answer}
        if len(found) < len(ids):  # a deployment that is not complete
            continue
        zones = [found[id_]["AvailabilityZone"] for id_ in ids]
        wanted, deployed = list(getattr(settings, f"{key}s")), [found[id_]["CidrBlock"] for id_ in ids]
        if wanted != deployed:
            yield f"{key}s", _shown(wanted), _shown(deployed)
    if zones and settings.availability_zones and list(settings.availability_zones) != zones:
        yield "availability_zones", _shown(settings.availability_zones), _shown(zones)


def _shown(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"


def _key(session: boto3.Session, workspace: Workspace) -> Iterator[str]:
    """Database and file system keep the key that they were created with; another one would replace them, empty."""
    deployed = _published(session, workspace, Data.key_arn)
    if deployed is None:
        return
    wanted = workspace.data.key_arn
    if wanted and wanted != deployed:
        yield (
            f"data.key_arn is {wanted}, but images and metadata are encrypted with {deployed}, and their key cannot "
            f"change; set data.key_arn back{'' if not _is_own(session, workspace, deployed) else ' by removing it'}, "
            "or deploy a second workspace and move the data there."
        )
    if not wanted and not _is_own(session, workspace, deployed):
        yield (
            f"data.key_arn is missing, but images and metadata are encrypted with {deployed}, and their key cannot "
            f"change; set data.key_arn to {deployed}."
        )


def _is_own(session: boto3.Session, workspace: Workspace, arn: str) -> bool:
    """Whether the `data` stack created the key: then its alias leads to it."""
    alias = f"alias/{names.physical('alias', workspace.name, Data.stack)}"
    kms = session.client("kms")
    found: Any = aws.read(lambda: kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"], "NotFoundException")
    return bool(found == arn)


def _balancers(session: boto3.Session, workspace: Workspace) -> Iterator[str]:
    """A balancer that has to go, or to be replaced, while its deletion protection is on.

    Terraform would delete its listeners first, and AWS then refuse to delete the balancer.
    """
    elb: Any = session.client("elbv2")
    scheme = "internal" if workspace.access.internal else "internet-facing"
    for service, role in (("alb", "web"), ("nlb", "server")):
        name = names.physical(service, workspace.name, role)
        balancer = _balancer(elb, name)
        if balancer is None:
            continue
        arn = balancer["LoadBalancerArn"]
        if role == "server" and workspace.access.server is None:
            why = "access.server is missing, so the load balancer {name} would be deleted"
        elif balancer["Scheme"] != scheme:
            internal = str(workspace.access.internal).lower()
            why = f"access.internal is {internal}, so the {balancer['Scheme']} load balancer {{name}} would be replaced"
        else:
            continue
        attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        if {each["Key"]: each["Value"] for each in attributes}.get(PROTECTION) == "true":
            yield (
                f"{why.format(name=name)}, but its deletion protection is on; turn it off first: `aws elbv2 "
                f"modify-load-balancer-attributes --region {workspace.region} --load-balancer-arn {arn} "
                f"--attributes Key={PROTECTION},Value=false`, then deploy again."
            )


def _balancer(elb: Any, name: str) -> Any:
    return aws.read(lambda: elb.describe_load_balancers(Names=[name])["LoadBalancers"][0], "LoadBalancerNotFound")


def _sign_in(session: boto3.Session, workspace: Workspace) -> Iterator[str]:
    """A rule that signs people in asks an identity provider, to which the balancer would have no way any more."""
    if workspace.sign_in:
        return
    listener = _published(session, workspace, Frontend.web_listener_arn)
    found = rule.find_at(session.client("elbv2"), listener, workspace.name) if listener else None
    if found:
        yield (
            f"sign_in is missing, but the load balancer signs people in by the rule {found['RuleArn']}; run "
            f"`omero-aws sign-in remove -w {workspace.name}` first, or put the section back."
        )
