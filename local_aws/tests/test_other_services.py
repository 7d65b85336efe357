"""The smaller gaps: KMS, security group rules, Application Auto Scaling, Cloud Map, target health."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client, Ecs, Network, target_group


def test_key_keeps_its_rotation_period(client: Client) -> None:
    kms = client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert "RotationPeriodInDays" not in kms.get_key_rotation_status(KeyId=key)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 180


def test_a_key_of_aws_is_not_the_customers(client: Client) -> None:
    kms = client("kms")
    assert kms.create_key()["KeyMetadata"]["KeyManager"] == "CUSTOMER"
    client("ec2").create_volume(AvailabilityZone="eu-west-1a", Size=1, Encrypted=True)
    assert kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["KeyManager"] == "AWS"


@pytest.mark.parametrize("peer", ["cidr", "group", "prefix list"])
def test_rule_keeps_and_changes_its_description(client: Client, network: Network, peer: str) -> None:
    ec2 = client("ec2")
    group = ec2.create_security_group(GroupName=uuid4().hex, Description="Rules", VpcId=network.vpc)["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    asked, changed = {
        "cidr": ({"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, {"CidrIpv4": "10.0.0.0/8"}),
        "group": ({"UserIdGroupPairs": [{"GroupId": group}]}, {"ReferencedGroupId": group}),
        "prefix list": ({"PrefixListIds": [{"PrefixListId": "pl-1"}]}, {"PrefixListId": "pl-1"}),
    }[peer]
    for peers in asked.values():
        peers[0]["Description"] = "First"
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**permission, **asked}])
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    def text() -> str | None:
        found = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"][0]
        return found.get("Description")  # type: ignore[no-any-return]

    assert text() == "First"
    for description in ("Second", None):
        more = {"Description": description} if description else {}
        ec2.modify_security_group_rules(
            GroupId=group,
            SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": {**permission, **changed, **more}}],
        )
        assert text() == description


@pytest.mark.parametrize("subject", ["", "a" * 101, "a\nBcc: b@example.org", "a\x1b[2J"])
def test_sns_refuses_subjects_that_are_none(client: Client, subject: str) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name=uuid4().hex)["TopicArn"]
    with pytest.raises(ClientError, match=r"\(InvalidParameter\) .* Invalid parameter: Subject"):
        sns.publish(TopicArn=topic, Subject=subject, Message="a")
    assert sns.publish(TopicArn=topic, Subject="a" * 100, Message="a")["MessageId"]
    assert sns.publish(TopicArn=topic, Message="a")["MessageId"]


def test_scalable_target_has_tags_and_takes_its_policies_along(client: Client, ecs: Ecs) -> None:
    ecs.create(ecs.definition(), desiredCount=0)
    scaling = client("application-autoscaling")
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{ecs.cluster}/web",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    arn = scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2, Tags={"Application": "omero"})[
        "ScalableTargetARN"
    ]
    scaling.tag_resource(ResourceARN=arn, Tags={"Other": "1"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["Other"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"Application": "omero"}
    scaling.put_scaling_policy(
        **target,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 60,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    )

    scaling.deregister_scalable_target(**target)

    policies = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=target["ResourceId"])
    assert policies["ScalingPolicies"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        scaling.list_tags_for_resource(ResourceARN=arn)


def test_namespace_with_services_is_in_use(client: Client, network: Network) -> None:
    discovery, name = client("servicediscovery"), f"{uuid4().hex[:8]}.internal"
    discovery.create_private_dns_namespace(Name=name, Vpc=network.vpc)
    namespace = next(each["Id"] for each in discovery.list_namespaces()["Namespaces"] if each["Name"] == name)
    service = discovery.create_service(Name="web", NamespaceId=namespace)["Service"]["Id"]
    with pytest.raises(ClientError, match="ResourceInUse"):
        discovery.delete_namespace(Id=namespace)
    with pytest.raises(ClientError, match="ConflictingDomainExists"):
        discovery.create_private_dns_namespace(Name=name, Vpc=network.vpc)
    discovery.delete_service(Id=service)
    zone = discovery.get_namespace(Id=namespace)["Namespace"]["Properties"]["DnsProperties"]["HostedZoneId"]
    route53 = client("route53")
    assert route53.get_hosted_zone(Id=zone)["HostedZone"]["Name"] == f"{name}."
    discovery.delete_namespace(Id=namespace)
    with pytest.raises(ClientError, match="NoSuchHostedZone"):
        route53.get_hosted_zone(Id=zone)


def test_target_without_listener_is_unused(client: Client, network: Network) -> None:
    elb = client("elbv2")
    group = elb.create_target_group(
        Name=f"lone-{uuid4().hex[:8]}", Protocol="HTTP", Port=80, VpcId=network.vpc, TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.9.0.9"}])
    health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]["TargetHealth"]
    assert (health["State"], health["Reason"]) == ("unused", "Target.NotInUse")


def test_bucket_that_asks_for_tls_takes_objects_and_keeps_its_rules(client: Client) -> None:
    s3, bucket = client("s3"), f"bucket-{uuid4().hex}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    s3.put_object(Bucket=bucket, Key="key", Body=b"text")
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"text"

    kept = {"NoncurrentDays": 30, "NewerNoncurrentVersions": 5}
    rule = {"ID": "old", "Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": kept}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]
    assert found["NoncurrentVersionExpiration"] == kept


def test_table_takes_an_encryption_key(client: Client) -> None:
    dynamodb, name = client("dynamodb"), f"locks-{uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    dynamodb.update_table(TableName=name, SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key})
    assert dynamodb.describe_table(TableName=name)["Table"]["SSEDescription"]["KMSMasterKeyArn"] == key


def _attribute(client: Client, balancer: str, **attributes: str) -> None:
    listed = [{"Key": key.replace("__", "."), "Value": value} for key, value in attributes.items()]
    client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=listed)


def test_protected_load_balancer_is_not_deleted(client: Client, network: Network) -> None:
    _, balancer = target_group(client, network)
    _attribute(client, balancer, deletion_protection__enabled="true")
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        client("elbv2").delete_load_balancer(LoadBalancerArn=balancer)
    _attribute(client, balancer, deletion_protection__enabled="false")
    client("elbv2").delete_load_balancer(LoadBalancerArn=balancer)


def test_access_logs_need_a_bucket_that_takes_them(client: Client, network: Network) -> None:
    _, balancer = target_group(client, network)
    s3, bucket = client("s3"), f"logs-{uuid4().hex}"
    logs = {"access_logs__s3__enabled": "true", "access_logs__s3__bucket": bucket, "access_logs__s3__prefix": "alb"}
    with pytest.raises(ClientError, match="S3 bucket not found"):
        _attribute(client, balancer, **logs)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(ClientError, match="Access Denied for bucket"):
        _attribute(client, balancer, **logs)
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::156460612806:root"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/alb/AWSLogs/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    _attribute(client, balancer, **logs)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    with pytest.raises(ClientError, match="Access Denied for bucket"):
        _attribute(client, balancer, **logs)


def test_nat_gateway_takes_its_network_interface_along(client: Client, network: Network) -> None:
    ec2 = client("ec2")
    subnet = ec2.create_subnet(VpcId=network.vpc, CidrBlock="10.9.250.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]

    def interfaces() -> list[str]:
        found = ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet]}])
        return [interface["NetworkInterfaceId"] for interface in found["NetworkInterfaces"]]

    assert len(interfaces()) == 1
    ec2.delete_nat_gateway(NatGatewayId=gateway)
    assert interfaces() == []
    ec2.delete_subnet(SubnetId=subnet)
