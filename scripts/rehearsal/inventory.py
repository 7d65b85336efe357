"""What exists in an account and region, asked of AWS itself rather than of Terraform's state.

`make rehearse` compares what it finds before a deployment with what is left after its destruction.
Only kinds that this project creates are listed. What AWS keeps for a while or for good (an
inactive cluster or task definition, a key that waits for its deletion) is not counted as left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import jmespath

from scripts import aws


@dataclass(frozen=True)
class Kind:
    """One kind of thing: the boto3 service and operation that lists it, and where its ids are (JMESPath)."""

    service: str
    operation: str
    ids: str
    arguments: tuple[tuple[str, Any], ...] = ()


KINDS: dict[str, Kind] = {
    "VPC": Kind("ec2", "describe_vpcs", "Vpcs[].VpcId"),
    "subnet": Kind("ec2", "describe_subnets", "Subnets[].SubnetId"),
    "route table": Kind("ec2", "describe_route_tables", "RouteTables[].RouteTableId"),
    "internet gateway": Kind("ec2", "describe_internet_gateways", "InternetGateways[].InternetGatewayId"),
    "NAT gateway": Kind("ec2", "describe_nat_gateways", "NatGateways[?State!='deleted'].NatGatewayId"),
    "Elastic IP": Kind("ec2", "describe_addresses", "Addresses[].AllocationId"),
    "VPC endpoint": Kind("ec2", "describe_vpc_endpoints", "VpcEndpoints[?State!='deleted'].VpcEndpointId"),
    "security group": Kind("ec2", "describe_security_groups", "SecurityGroups[].GroupId"),
    "network interface": Kind("ec2", "describe_network_interfaces", "NetworkInterfaces[].NetworkInterfaceId"),
    "flow log": Kind("ec2", "describe_flow_logs", "FlowLogs[].FlowLogId"),
    "log group": Kind("logs", "describe_log_groups", "logGroups[].logGroupName"),
    "KMS alias": Kind("kms", "list_aliases", "Aliases[?!starts_with(AliasName, 'alias/aws/')].AliasName"),
    "IAM role": Kind("iam", "list_roles", "Roles[?!starts_with(Path, '/aws-service-role/')].RoleName"),
    "file system": Kind("efs", "describe_file_systems", "FileSystems[].FileSystemId"),
    "access point": Kind("efs", "describe_access_points", "AccessPoints[].AccessPointId"),
    "database": Kind("rds", "describe_db_instances", "DBInstances[].DBInstanceIdentifier"),
    "database subnet group": Kind("rds", "describe_db_subnet_groups", "DBSubnetGroups[].DBSubnetGroupName"),
    "database parameter group": Kind(
        "rds",
        "describe_db_parameter_groups",
        "DBParameterGroups[?!starts_with(DBParameterGroupName, 'default.')].DBParameterGroupName",
    ),
    "secret": Kind("secretsmanager", "list_secrets", "SecretList[].Name"),
    "backup vault": Kind("backup", "list_backup_vaults", "BackupVaultList[].BackupVaultName"),
    "backup plan": Kind("backup", "list_backup_plans", "BackupPlansList[].BackupPlanId"),
    "task definition": Kind("ecs", "list_task_definitions", "taskDefinitionArns[]", (("status", "ACTIVE"),)),
    "launch template": Kind("ec2", "describe_launch_templates", "LaunchTemplates[].LaunchTemplateName"),
    "instance": Kind(
        "ec2",
        "describe_instances",
        "Reservations[].Instances[?!contains(['shutting-down', 'terminated'], State.Name)][].InstanceId",
    ),
    "volume": Kind("ec2", "describe_volumes", "Volumes[].VolumeId"),
    "autoscaling group": Kind(
        "autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups[].AutoScalingGroupName"
    ),
    "instance profile": Kind("iam", "list_instance_profiles", "InstanceProfiles[].InstanceProfileName"),
    "capacity provider": Kind(
        "ecs",
        "describe_capacity_providers",
        "capacityProviders[?status=='ACTIVE' && !starts_with(name, 'FARGATE')].name",
    ),
    "dashboard": Kind("cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName"),
    "cache": Kind("elasticache", "describe_replication_groups", "ReplicationGroups[].ReplicationGroupId"),
    "cache subnet group": Kind(
        "elasticache",
        "describe_cache_subnet_groups",
        "CacheSubnetGroups[?CacheSubnetGroupName!='default'].CacheSubnetGroupName",
    ),
    "load balancer": Kind("elbv2", "describe_load_balancers", "LoadBalancers[].LoadBalancerName"),
    "target group": Kind("elbv2", "describe_target_groups", "TargetGroups[].TargetGroupName"),
    "Cloud Map namespace": Kind("servicediscovery", "list_namespaces", "Namespaces[].Name"),
    "Cloud Map service": Kind("servicediscovery", "list_services", "Services[].Name"),
    "certificate": Kind("acm", "list_certificates", "CertificateSummaryList[].DomainName"),
    "hosted zone": Kind("route53", "list_hosted_zones", "HostedZones[].Name"),
    "table": Kind("dynamodb", "list_tables", "TableNames"),
    "bucket": Kind("s3", "list_buckets", "Buckets[].Name"),
    "SSM document": Kind(
        "ssm", "list_documents", "DocumentIdentifiers[].Name", (("Filters", [{"Key": "Owner", "Values": ["Self"]}]),)
    ),
    "function": Kind("lambda", "list_functions", "Functions[].FunctionName"),
    "event source mapping": Kind("lambda", "list_event_source_mappings", "EventSourceMappings[].UUID"),
    "queue": Kind("sqs", "list_queues", "QueueUrls[]"),
    "event rule": Kind("events", "list_rules", "Rules[].Name"),
    "gateway": Kind("storagegateway", "list_gateways", "Gateways[].GatewayId"),
    "file share": Kind("storagegateway", "list_file_shares", "FileShareInfoList[].FileShareId"),
    "DataSync task": Kind("datasync", "list_tasks", "Tasks[].TaskArn"),
    "DataSync location": Kind("datasync", "list_locations", "Locations[].LocationArn"),
    "SFTP server": Kind("transfer", "list_servers", "Servers[].ServerId"),
    "topic": Kind("sns", "list_topics", "Topics[].TopicArn"),
    "alarm": Kind("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
    "log resource policy": Kind("logs", "describe_resource_policies", "resourcePolicies[].policyName"),
    "parameter": Kind(
        "ssm",
        "get_parameters_by_path",
        "Parameters[].Name",
        (("Path", "/omero"), ("Recursive", True)),
    ),
}


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
