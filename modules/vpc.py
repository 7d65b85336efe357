"""A VPC with public and private subnets in two zones, NAT gateways, and nothing open by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cdktf import Fn, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.data_aws_availability_zones import (
    DataAwsAvailabilityZones,
    DataAwsAvailabilityZonesFilter,
)
from cdktf_cdktf_provider_aws.default_security_group import DefaultSecurityGroup
from cdktf_cdktf_provider_aws.eip import Eip
from cdktf_cdktf_provider_aws.flow_log import FlowLog
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.internet_gateway import InternetGateway
from cdktf_cdktf_provider_aws.nat_gateway import NatGateway
from cdktf_cdktf_provider_aws.route import Route
from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc as AwsVpc
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from constructs import Construct

from contract.policy import Statement, document, trust
from modules.account import Account
from modules.addresses import MAIN
from modules.audit import skip
from modules.log_group import LogSettings, log_group
from modules.security_group import ANYWHERE

ZONES = ("first", "second")


@dataclass(frozen=True, kw_only=True)
class FlowLogsProps:
    """Where and how long the VPC's traffic is recorded; `traffic` is ALL, ACCEPT or REJECT."""

    traffic: str
    log_group_name: str
    role_name: str
    logs: LogSettings


@dataclass(frozen=True, kw_only=True)
class VpcProps:
    """Subnets come in pairs, one a zone.

    `availability_zones` None takes the region's first two that every account may use.
    """

    name: str
    account: Account
    cidr: str
    public_subnets: Sequence[str]
    private_subnets: Sequence[str]
    availability_zones: Sequence[str] | None
    nat_gateways: Literal["one_per_zone", "single"]
    flow_logs: FlowLogsProps | None = None

    def __post_init__(self) -> None:
        for what, values in (("public", self.public_subnets), ("private", self.private_subnets)):
            if len(values) != len(ZONES):
                raise ValueError(
                    f"{len(values)} {what} subnets were given; a VPC here has {len(ZONES)}, one in each zone"
                )


class Vpc(Construct):
    """`id`, `public_subnet_ids`, `private_subnet_ids` and `availability_zones` are what other modules need."""

    def __init__(self, scope: Construct, id_: str, props: VpcProps) -> None:
        super().__init__(scope, id_)
        self._name = props.name
        vpc = AwsVpc(
            self,
            MAIN,
            cidr_block=props.cidr,
            enable_dns_support=True,
            # Cloud Map names, the file system's and the database's resolve only with both.
            enable_dns_hostnames=True,
            tags={"Name": props.name},
        )
        if props.flow_logs is None:
            skip(vpc, CKV2_AWS_11="flow logs are an option of the workspace: network.flow_logs")
        self.id = vpc.id
        # AWS opens a VPC's default group to itself and outwards; without rules it is closed.
        DefaultSecurityGroup(self, "default_security_group", vpc_id=self.id, tags={"Name": f"{props.name}-unused"})
        zones = _zone_names(self, props.availability_zones)
        public = self._subnets("public", props.public_subnets, zones)
        private = self._subnets("private", props.private_subnets, zones)
        tables = self._routes(public, private, single_nat=props.nat_gateways == "single")
        self._s3_endpoint(props.account, tables)
        if props.flow_logs:
            self._record_traffic(props.account, props.flow_logs)
        self.public_subnet_ids = tuple(subnet.id for subnet in public)
        self.private_subnet_ids = tuple(subnet.id for subnet in private)
        self.availability_zones = tuple(subnet.availability_zone for subnet in private)

    def _tags(self, *roles: str) -> dict[str, str]:
        return {"Name": "-".join((self._name, *roles))}

    def _subnets(self, kind: str, cidrs: Sequence[str], zones: Sequence[str]) -> tuple[Subnet, ...]:
        return tuple(
            Subnet(
                self,
                f"{kind}_{zone}",
                vpc_id=self.id,
                cidr_block=cidr,
                availability_zone=zone_name,
                map_public_ip_on_launch=False,
                tags=self._tags(kind, zone),
                # A zone that AWS opens later could come first in the list: a subnet never moves for it.
                lifecycle=TerraformResourceLifecycle(ignore_changes=["availability_zone"]),
            )
            for zone, cidr, zone_name in zip(ZONES, cidrs, zones, strict=True)
        )

    def _routes(
        self, public: Sequence[Subnet], private: Sequence[Subnet], *, single_nat: bool
    ) -> tuple[RouteTable, ...]:
        gateway = InternetGateway(self, "internet_gateway", vpc_id=self.id, tags=self._tags())
        public_table = RouteTable(self, "public", vpc_id=self.id, tags=self._tags("public"))
        Route(
            self,
            "public_internet",
            route_table_id=public_table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
        )
        tables = [public_table]
        nat: NatGateway | None = None
        for zone, public_subnet, private_subnet in zip(ZONES, public, private, strict=True):
            RouteTableAssociation(
                self, f"public_{zone}_routes", route_table_id=public_table.id, subnet_id=public_subnet.id
            )
            if nat is None or not single_nat:
                nat = self._nat(zone, public_subnet, gateway)
            table = RouteTable(self, f"private_{zone}_table", vpc_id=self.id, tags=self._tags("private", zone))
            Route(
                self,
                f"private_{zone}_internet",
                route_table_id=table.id,
                destination_cidr_block=ANYWHERE,
                nat_gateway_id=nat.id,
            )
            RouteTableAssociation(self, f"private_{zone}_routes", route_table_id=table.id, subnet_id=private_subnet.id)
            tables.append(table)
        return tuple(tables)

    def _nat(self, zone: str, subnet: Subnet, gateway: InternetGateway) -> NatGateway:
        address = Eip(self, f"nat_{zone}_address", domain="vpc", tags=self._tags("nat", zone), depends_on=[gateway])
        return NatGateway(
            self,
            f"nat_{zone}",
            allocation_id=address.id,
            subnet_id=subnet.id,
            tags=self._tags(zone),
            depends_on=[gateway],
        )

    def _s3_endpoint(self, account: Account, tables: Sequence[RouteTable]) -> None:
        VpcEndpoint(
            self,
            "s3",
            vpc_id=self.id,
            service_name=f"com.amazonaws.{account.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in tables],
            tags=self._tags("s3"),
        )

    def _record_traffic(self, account: Account, props: FlowLogsProps) -> None:
        group = log_group(self, "flow_log_group", name=props.log_group_name, logs=props.logs)
        role = IamRole(
            self,
            "flow_log_role",
            name=props.role_name,
            assume_role_policy=trust(
                "vpc-flow-logs.amazonaws.com",
                account_id=account.id,
                source_arn=account.arn("ec2", "vpc-flow-log/*"),
            ),
        )
        policy = IamRolePolicy(
            self,
            "flow_log_policy",
            name="write-flow-logs",
            role=role.id,
            policy=document(
                Statement(
                    sid="WriteOwnLogGroup",
                    actions=("logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"),
                    resources=(group.arn, f"{group.arn}:*"),
                ),
                Statement(
                    sid="FindLogGroups",
                    actions=("logs:DescribeLogGroups",),
                    resources=("*",),
                    any_resource_because="the action lists groups and takes no narrower resource",
                ),
            ),
        )
        FlowLog(
            self,
            "flow_log",
            vpc_id=self.id,
            traffic_type=props.traffic,
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=600,
            tags=self._tags(),
            depends_on=[policy],
        )


def _zone_names(scope: Construct, names: Sequence[str] | None) -> Sequence[str]:
    if names:
        return names
    zones = DataAwsAvailabilityZones(
        scope,
        "zones",
        state="available",
        # Local and wavelength zones have to be opted in to, and lack EFS, RDS and NAT.
        filter=[DataAwsAvailabilityZonesFilter(name="opt-in-status", values=["opt-in-not-required"])],
    )
    skip(zones, CKV_AWS_394="a subnet never moves: its lifecycle ignores a change of the zone")
    return [Fn.element(zones.names, index) for index in range(len(ZONES))]
