"""What exists in an account and region, asked of AWS itself rather than of Terraform's state.

`make rehearse` compares what it finds before a deployment with what is left after its destruction.
Only kinds that this project creates are listed. What AWS keeps for a while or for good (an
inactive cluster or task definition, a key that waits for its deletion) is not counted as left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import jmespath

from contract.kinds import Kind
from contract.sections import SECTIONS
from scripts import aws

KINDS: Mapping[str, Kind] = {
    **{name: kind for record in SECTIONS.values() for name, kind in record.kinds.items()},
    "VPC": Kind(service="ec2", operation="describe_vpcs", ids="Vpcs[].VpcId"),
    "subnet": Kind(service="ec2", operation="describe_subnets", ids="Subnets[].SubnetId"),
    "route table": Kind(service="ec2", operation="describe_route_tables", ids="RouteTables[].RouteTableId"),
    "internet gateway": Kind(
        service="ec2", operation="describe_internet_gateways", ids="InternetGateways[].InternetGatewayId"
    ),
    "NAT gateway": Kind(
        service="ec2", operation="describe_nat_gateways", ids="NatGateways[?State!='deleted'].NatGatewayId"
    ),
    "Elastic IP": Kind(service="ec2", operation="describe_addresses", ids="Addresses[].AllocationId"),
    "VPC endpoint": Kind(
        service="ec2", operation="describe_vpc_endpoints", ids="VpcEndpoints[?State!='deleted'].VpcEndpointId"
    ),
    "security group": Kind(service="ec2", operation="describe_security_groups", ids="SecurityGroups[].GroupId"),
    "network interface": Kind(
        service="ec2", operation="describe_network_interfaces", ids="NetworkInterfaces[].NetworkInterfaceId"
    ),
    "flow log": Kind(service="ec2", operation="describe_flow_logs", ids="FlowLogs[].FlowLogId"),
    "log group": Kind(service="logs", operation="describe_log_groups", ids="logGroups[].logGroupName"),
    "KMS alias": Kind(
        service="kms", operation="list_aliases", ids="Aliases[?!starts_with(AliasName, 'alias/aws/')].AliasName"
    ),
    "IAM role": Kind(
        service="iam", operation="list_roles", ids="Roles[?!starts_with(Path, '/aws-service-role/')].RoleName"
    ),
    "file system": Kind(service="efs", operation="describe_file_systems", ids="FileSystems[].FileSystemId"),
    "access point": Kind(service="efs", operation="describe_access_points", ids="AccessPoints[].AccessPointId"),
    "database": Kind(service="rds", operation="describe_db_instances", ids="DBInstances[].DBInstanceIdentifier"),
    "database subnet group": Kind(
        service="rds", operation="describe_db_subnet_groups", ids="DBSubnetGroups[].DBSubnetGroupName"
    ),
    "database parameter group": Kind(
        service="rds",
        operation="describe_db_parameter_groups",
        ids="DBParameterGroups[?!starts_with(DBParameterGroupName, 'default.')].DBParameterGroupName",
    ),
    "secret": Kind(service="secretsmanager", operation="list_secrets", ids="SecretList[].Name"),
    "backup vault": Kind(service="backup", operation="list_backup_vaults", ids="BackupVaultList[].BackupVaultName"),
    "backup plan": Kind(service="backup", operation="list_backup_plans", ids="BackupPlansList[].BackupPlanId"),
    "task definition": Kind(
        service="ecs", operation="list_task_definitions", ids="taskDefinitionArns[]", arguments=(("status", "ACTIVE"),)
    ),
    "launch template": Kind(
        service="ec2", operation="describe_launch_templates", ids="LaunchTemplates[].LaunchTemplateName"
    ),
    "instance": Kind(
        service="ec2",
        operation="describe_instances",
        ids="Reservations[].Instances[?!contains(['shutting-down', 'terminated'], State.Name)][].InstanceId",
    ),
    "volume": Kind(service="ec2", operation="describe_volumes", ids="Volumes[].VolumeId"),
    "autoscaling group": Kind(
        service="autoscaling", operation="describe_auto_scaling_groups", ids="AutoScalingGroups[].AutoScalingGroupName"
    ),
    "instance profile": Kind(
        service="iam", operation="list_instance_profiles", ids="InstanceProfiles[].InstanceProfileName"
    ),
    "capacity provider": Kind(
        service="ecs",
        operation="describe_capacity_providers",
        ids="capacityProviders[?status=='ACTIVE' && !starts_with(name, 'FARGATE')].name",
    ),
    "dashboard": Kind(service="cloudwatch", operation="list_dashboards", ids="DashboardEntries[].DashboardName"),
    "cache": Kind(
        service="elasticache", operation="describe_replication_groups", ids="ReplicationGroups[].ReplicationGroupId"
    ),
    "cache user": Kind(service="elasticache", operation="describe_users", ids="Users[?UserName!='default'].UserId"),
    "cache user group": Kind(service="elasticache", operation="describe_user_groups", ids="UserGroups[].UserGroupId"),
    "cache subnet group": Kind(
        service="elasticache",
        operation="describe_cache_subnet_groups",
        ids="CacheSubnetGroups[?CacheSubnetGroupName!='default'].CacheSubnetGroupName",
    ),
    "load balancer": Kind(service="elbv2", operation="describe_load_balancers", ids="LoadBalancers[].LoadBalancerName"),
    "target group": Kind(service="elbv2", operation="describe_target_groups", ids="TargetGroups[].TargetGroupName"),
    "Cloud Map namespace": Kind(service="servicediscovery", operation="list_namespaces", ids="Namespaces[].Name"),
    "Cloud Map service": Kind(service="servicediscovery", operation="list_services", ids="Services[].Name"),
    "certificate": Kind(service="acm", operation="list_certificates", ids="CertificateSummaryList[].DomainName"),
    "hosted zone": Kind(service="route53", operation="list_hosted_zones", ids="HostedZones[].Name"),
    "table": Kind(service="dynamodb", operation="list_tables", ids="TableNames"),
    "bucket": Kind(service="s3", operation="list_buckets", ids="Buckets[].Name"),
    "function": Kind(service="lambda", operation="list_functions", ids="Functions[].FunctionName"),
    "event source mapping": Kind(
        service="lambda", operation="list_event_source_mappings", ids="EventSourceMappings[].UUID"
    ),
    "queue": Kind(service="sqs", operation="list_queues", ids="QueueUrls[]"),
    "event rule": Kind(service="events", operation="list_rules", ids="Rules[].Name"),
    "topic": Kind(service="sns", operation="list_topics", ids="Topics[].TopicArn"),
    "alarm": Kind(service="cloudwatch", operation="describe_alarms", ids="MetricAlarms[].AlarmName"),
    "log resource policy": Kind(
        service="logs", operation="describe_resource_policies", ids="resourcePolicies[].policyName"
    ),
    "parameter": Kind(
        service="ssm",
        operation="get_parameters_by_path",
        ids="Parameters[].Name",
        arguments=(("Path", "/omero"), ("Recursive", True)),
    ),
}


def is_written_again(kind: str, id_: str) -> bool:
    """Whether a service writes it again after Terraform has deleted it: RDS its log groups (the next deployment adopts
    them; terraform-provider-aws, issue 42858)."""
    return kind == "log group" and id_.startswith("/aws/rds/instance/")


def take(session: boto3.Session) -> frozenset[tuple[str, str]]:
    """Every (kind, id) there is now.

    Raises:
        botocore.exceptions.ClientError: AWS refuses a listing.
    """
    found = {(name, id_) for name, kind in KINDS.items() for id_ in _ids(session, kind)}
    found |= {("KMS key", key) for key in _live_keys(session)}
    found |= {("cluster", arn) for arn in _live_clusters(session)}
    return frozenset(found | {("DNS record", name) for name in _records(session)})


def _ids(session: boto3.Session, kind: Kind) -> Iterator[str]:
    client: Any = session.client(kind.service)  # type: ignore[call-overload]
    for page in aws.pages(client, kind.operation, **dict(kind.arguments)):
        yield from jmespath.search(kind.ids, page) or []


def _live_keys(session: boto3.Session) -> Iterator[str]:
    """Keys of the customer's that do not wait for their deletion (AWS keeps those 7 to 30 days)."""
    kms = session.client("kms")
    for key in aws.rows(kms, "list_keys", "Keys"):
        about = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if about.get("KeyManager") == "CUSTOMER" and about.get("KeyState") != "PendingDeletion":
            yield key["KeyId"]


def _live_clusters(session: boto3.Session) -> Iterator[str]:
    """Clusters that are not INACTIVE (AWS shows a deleted one for a while)."""
    ecs = session.client("ecs")
    for page in aws.pages(ecs, "list_clusters"):
        for cluster in ecs.describe_clusters(clusters=page["clusterArns"])["clusters"]:
            if cluster["status"] != "INACTIVE":
                yield cluster["clusterArn"]


def _records(session: boto3.Session) -> Iterator[str]:
    """DNS records, without the two that every hosted zone has."""
    route53 = session.client("route53")
    for zone in aws.rows(route53, "list_hosted_zones", "HostedZones"):
        for record in aws.rows(route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]):
            if record["Type"] not in ("NS", "SOA"):
                yield f"{record['Name']} {record['Type']}"
