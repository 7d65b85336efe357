"""What sessions need around them: subnets with a way to S3, a security group, the way to OMERO, a service role."""

from __future__ import annotations

from typing import Any

from contract import names
from contract.omero import SERVER_PORT
from contract.outputs import Network, Omero
from contract.policy import trust
from scripts import aws
from scripts.aws import security_groups
from scripts.errors import Refused
from scripts.ingest.appstream.context import AppStreamContext, Json

ANYWHERE = "0.0.0.0/0"
SERVICE_ROLE = "AmazonAppStreamServiceAccess"


def subnet_ids(context: AppStreamContext) -> list[str]:
    """Those that sessions are in: as the section says, else the workspace's private ones."""
    return list(context.settings.fleet.subnet_ids or context.deployment.listed(Network.private_subnet_ids))


def check(context: AppStreamContext) -> None:
    """Look whether a session can reach OMERO and S3, before anything is made.

    Raises:
        Refused: it could not, with the reason.
    """
    ec2, ids = context.deployment.client("ec2"), subnet_ids(context)
    vpc_id = context.deployment.parameter(Network.vpc_id)
    subnets = aws.read(lambda: ec2.describe_subnets(SubnetIds=ids)["Subnets"], "InvalidSubnetID.NotFound")
    if subnets is None:
        raise Refused(
            f"one of the subnets {', '.join(ids)} is not in {context.region}; correct appstream.fleet.subnet_ids."
        )
    for subnet in subnets:
        if subnet["VpcId"] != vpc_id:
            raise Refused(
                f"subnet {subnet['SubnetId']} is in {subnet['VpcId']}, and OMERO is in {vpc_id}, the only VPC where "
                f"its name resolves; give two subnets of {vpc_id} in appstream.fleet.subnet_ids, or remove the setting."
            )
    zones = {subnet["AvailabilityZone"] for subnet in subnets}
    if len(zones) < 2:
        raise Refused(
            f"the subnets {', '.join(ids)} are both in {zones.pop()}, and AppStream needs two Availability Zones; give "
            "one subnet in each of two in appstream.fleet.subnet_ids."
        )
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        answer = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)
        if not answer[attribute[0].upper() + attribute[1:]]["Value"]:
            raise Refused(
                f"{attribute} of {vpc_id} is off, so OMERO's name would not resolve in a session; turn it on with "
                f"`aws ec2 modify-vpc-attribute --vpc-id {vpc_id} --{_dashed(attribute)} Value=true`."
            )
    for id_ in ids:
        if not _reaches_s3(ec2, vpc_id=vpc_id, subnet_id=id_, region=context.region):
            raise Refused(
                f"subnet {id_} has no route to S3, where sessions get OMERO.insight and home folders: its route table "
                "has no NAT gateway, transit gateway, firewall or S3 endpoint; add a gateway endpoint for S3 to its "
                "route table, or choose other subnets."
            )


def _dashed(attribute: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in attribute)


def _reaches_s3(ec2: Any, *, vpc_id: str, subnet_id: str, region: str) -> bool:
    """An instance of AppStream has no public address: an internet gateway does not help it."""
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["RouteTables"]

    def among(key: str, value: Any) -> list[Json]:
        return [table for table in tables if any(each.get(key) == value for each in table.get("Associations", []))]

    for table in among("SubnetId", subnet_id) or among("Main", True):
        for route in table["Routes"]:
            whole = route.get("DestinationCidrBlock") == ANYWHERE and route.get("State", "active") == "active"
            target = route.get("GatewayId", "")
            if target.startswith("vpce-") or (whole and not target.startswith(("igw-", "local"))):
                return True
        endpoints = ec2.describe_vpc_endpoints(
            Filters=[
                {"Name": "vpc-id", "Values": [vpc_id]},
                {"Name": "service-name", "Values": [f"com.amazonaws.{region}.s3"]},
                {"Name": "vpc-endpoint-state", "Values": ["available"]},
            ]
        )["VpcEndpoints"]
        if any(table["RouteTableId"] in each.get("RouteTableIds", []) for each in endpoints):
            return True
    return False


def group_name(context: AppStreamContext) -> str:
    """Of the security group of sessions."""
    return names.physical("security_group", context.workspace, "appstream")


def find_group(context: AppStreamContext) -> Json | None:
    """The security group of sessions. Raises Refused if one of that name is not this workspace's."""
    found = security_groups.find(
        context.deployment.client("ec2"), group_name(context), vpc_id=context.deployment.parameter(Network.vpc_id)
    )
    if found is None:
        return None
    if not context.owns(aws.tag_dict(found.get("Tags", ()))):
        raise Refused(
            f"the security group {group_name(context)} ({found['GroupId']}) was not created for workspace "
            f"{context.workspace} by this program; delete or rename it."
        )
    return dict(found)


def ensure_group(context: AppStreamContext) -> str:
    """Have the security group of sessions, with no way in, and ways out to OMERO's port and HTTPS; OMERO's lets it in.

    Its id; a made-up one in a dry run that would make it.
    """
    ec2, name = context.deployment.client("ec2"), group_name(context)
    group = find_group(context)
    if group is None:
        group = context.changes.do(
            f"security group {name}: created",
            lambda: security_groups.create(
                ec2,
                name,
                vpc_id=context.deployment.parameter(Network.vpc_id),
                description=f"Sessions of AppStream in workspace {context.workspace}",
                tags={**context.tags, "Name": name},
            ),
        )
        if group is None:  # a dry run
            context.changes.do(
                f"security group {name}: outbound rules, and an inbound rule in OMERO.server's security group, added",
                lambda: None,
            )
            return "sg-(planned)"
    _ensure_egress(context, ec2, group)
    _ensure_ingress(context, ec2, group["GroupId"])
    return str(group["GroupId"])


def _ensure_egress(context: AppStreamContext, ec2: Any, group: Json) -> None:
    id_ = group["GroupId"]
    vpc = ec2.describe_vpcs(VpcIds=[group["VpcId"]])["Vpcs"][0]
    # The VPC's range and not OMERO's group: a rule that names a group keeps it from being deleted.
    cidrs = [each["CidrBlock"] for each in vpc.get("CidrBlockAssociationSet", [])] or [vpc["CidrBlock"]]
    wanted = {("tcp", SERVER_PORT, cidr): "OMERO.server" for cidr in cidrs}
    wanted["tcp", 443, ANYWHERE] = "S3: OMERO.insight and home folders"
    present = {_rule(each, cidr["CidrIp"]) for each in group["IpPermissionsEgress"] for cidr in each["IpRanges"]}
    for rule in sorted(present - wanted.keys(), key=str):
        context.changes.do(
            f"security group {id_}: outbound rule to {_shown(rule)} removed",
            lambda rule=rule: ec2.revoke_security_group_egress(GroupId=id_, IpPermissions=[_permission(rule)]),  # type: ignore[misc]
        )
    for rule in sorted(wanted.keys() - present, key=str):
        permission = _permission(rule, wanted[rule])
        context.changes.do(
            f"security group {id_}: outbound rule to {_shown(rule)} added",
            lambda permission=permission: ec2.authorize_security_group_egress(  # type: ignore[misc]
                GroupId=id_, IpPermissions=[permission]
            ),
        )


_Rule = tuple[str, int, str]


def _rule(permission: Json, cidr: str) -> _Rule:
    return permission["IpProtocol"], int(permission.get("FromPort", -1)), cidr


def _shown(rule: _Rule) -> str:
    protocol, port, cidr = rule
    return f"{cidr}, all ports" if protocol == "-1" else f"{cidr}, port {port}"


def _permission(rule: _Rule, description: str = "") -> Json:
    protocol, port, cidr = rule
    where = {"CidrIp": cidr, **({"Description": description} if description else {})}
    ports = {} if protocol == "-1" else {"FromPort": port, "ToPort": port}
    return {"IpProtocol": protocol, **ports, "IpRanges": [where]}


def _ensure_ingress(context: AppStreamContext, ec2: Any, group_id: str) -> None:
    server = context.deployment.parameter(Omero.server_security_group_id)
    if ingress_rule_id(ec2, of=server, source=group_id):
        return
    permission = {
        "IpProtocol": "tcp",
        "FromPort": SERVER_PORT,
        "ToPort": SERVER_PORT,
        "UserIdGroupPairs": [{"GroupId": group_id, "Description": "Sessions of AppStream"}],
    }
    context.changes.do(
        f"security group {server} of OMERO.server: inbound rule for sessions on port {SERVER_PORT} added",
        lambda: ec2.authorize_security_group_ingress(GroupId=server, IpPermissions=[permission]),
    )


def ingress_rule_id(ec2: Any, *, of: str, source: str) -> str | None:
    """The id of the rule by which OMERO.server's group (`of`) lets the sessions' (`source`) in; None if it does not."""
    filters = [{"Name": "group-id", "Values": [of]}]
    for rule in aws.rows(ec2, "describe_security_group_rules", "SecurityGroupRules", Filters=filters):
        group_id = rule.get("ReferencedGroupInfo", {}).get("GroupId")
        if not rule["IsEgress"] and group_id == source and rule["FromPort"] == SERVER_PORT == rule["ToPort"]:
            return str(rule["SecurityGroupRuleId"])
    return None


def remove_group(context: AppStreamContext) -> None:
    """Close OMERO's way in, and delete the group, in whichever VPC it is: both are found without any stack."""
    ec2, name = context.deployment.client("ec2"), group_name(context)
    for id_ in security_groups.tagged(ec2, name, context.tags):
        filters = [{"Name": "ip-permission.group-id", "Values": [id_]}]
        for row in aws.rows(ec2, "describe_security_groups", "SecurityGroups", Filters=filters):
            if rule := ingress_rule_id(ec2, of=row["GroupId"], source=id_):
                context.changes.do(
                    f"security group {row['GroupId']} of OMERO.server: inbound rule for sessions removed",
                    lambda server=row["GroupId"], rule=rule: ec2.revoke_security_group_ingress(  # type: ignore[misc]
                        GroupId=server, SecurityGroupRuleIds=[rule]
                    ),
                )
        # Network interfaces of instances that have just ended hold it for some minutes.
        context.changes.do(
            f"security group {name}: deleted",
            lambda id_=id_: context.retry(  # type: ignore[misc]
                ec2.delete_security_group, "DependencyViolation", GroupId=id_
            ),
        )


def ensure_service_role(context: AppStreamContext) -> None:
    """Have the account's role by which AppStream makes network interfaces. Its console makes it, its API does not.

    It is the account's, for all of its fleets, and stays.
    """
    iam = context.deployment.client("iam")
    partition = names.partition(context.region)
    policy_arn = f"arn:{partition}:iam::aws:policy/service-role/{SERVICE_ROLE}"
    attached = aws.read(
        lambda: iam.list_attached_role_policies(RoleName=SERVICE_ROLE)["AttachedPolicies"], "NoSuchEntity"
    )
    if attached is None:
        context.changes.do(
            f"role {SERVICE_ROLE}: created, for all of the account's fleets",
            lambda: iam.create_role(
                RoleName=SERVICE_ROLE, Path="/service-role/", AssumeRolePolicyDocument=trust("appstream.amazonaws.com")
            ),
        )
    if not any(each["PolicyArn"] == policy_arn for each in attached or ()):
        context.changes.do(
            f"role {SERVICE_ROLE}: AWS's policy attached",
            lambda: iam.attach_role_policy(RoleName=SERVICE_ROLE, PolicyArn=policy_arn),
        )
