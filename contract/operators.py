"""The rights of the people who run this project's commands on a deployed workspace.

The documents list the same actions (a test compares them), and a rehearsal runs these commands with these rights alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contract import images as container_images
from contract import names
from contract.policy import Statement
from settings import Workspace


@dataclass(frozen=True, kw_only=True)
class Place:
    """A deployed workspace, and what of it has no name that can be foreseen: the ARNs of two keys, and an EFS id."""

    workspace: Workspace
    data_key_arn: str
    omero_key_arn: str
    file_system_id: str

    def arn(self, service: str, rest: str) -> str:
        """An ARN of the workspace's account and region."""
        region = "" if service == "iam" else self.workspace.region
        return f"arn:{self.partition}:{service}:{region}:{self.workspace.account_id}:{rest}"

    @property
    def partition(self) -> str:
        """The partition of the workspace's region."""
        return names.partition(self.workspace.region)

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return names.cluster(self.workspace.name)

    def name(self, service: str, role: str) -> str:
        """The physical name of what plays `role`."""
        return names.physical(service, self.workspace.name, role)


Rights = Callable[[Place], tuple[Statement, ...]]


def _parameters(place: Place) -> Statement:
    path = names.parameter_path(place.workspace.name)
    return Statement(
        sid="ReadOutputs", actions=("ssm:GetParametersByPath",), resources=(place.arn("ssm", f"parameter{path}"),)
    )


def deployment(place: Place) -> tuple[Statement, ...]:
    """What all of `imports`, `exec` and `dropbox` need: they read outputs, and look for the server."""
    cluster = place.cluster
    return (
        _parameters(place),
        Statement(
            sid="FindServices",
            actions=("ecs:DescribeServices",),
            resources=(place.arn("ecs", f"service/{cluster}/*"),),
        ),
        Statement(sid="SeeTasks", actions=("ecs:DescribeTasks",), resources=(place.arn("ecs", f"task/{cluster}/*"),)),
        Statement(
            sid="FindTasks",
            actions=("ecs:ListTasks",),
            resources=("*",),
            any_resource_because="for the tasks of a cluster the resource is *; the condition narrows it",
            conditions={"ArnEquals": {"ecs:cluster": place.arn("ecs", f"cluster/{cluster}")}},
        ),
    )


def imports(place: Place) -> tuple[Statement, ...]:
    """What `imports` needs besides: it asks the importer, and reads what becomes of that."""
    ledger, requests = (
        place.arn("dynamodb", f"table/{place.name('table', role)}") for role in ("imports", "import-requests")
    )
    return (
        Statement(
            sid="ReadTables",
            actions=("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"),
            # An index is a resource of its own.
            resources=(ledger, f"{ledger}/index/*", requests),
        ),
        Statement(
            sid="AskImporter",
            actions=("dynamodb:PutItem",),
            resources=(requests,),
            # All other parts are what the importer has to remember.
            conditions={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ("request", "control")}},
        ),
        Statement(sid="DecryptTables", actions=("kms:Decrypt",), resources=(place.data_key_arn,)),
    )


def execute(place: Place) -> tuple[Statement, ...]:
    """What `exec`, `dropbox` and `imports --transport exec` need besides."""
    cluster = place.cluster
    return (
        Statement(
            sid="OpenSessions",
            actions=("ecs:ExecuteCommand",),
            resources=(place.arn("ecs", f"cluster/{cluster}"), place.arn("ecs", f"task/{cluster}/*")),
        ),
        Statement(
            sid="EndSessions",
            actions=("ssm:ResumeSession", "ssm:TerminateSession"),
            resources=(place.arn("ssm", "session/ecs-execute-*"),),
        ),
        Statement(sid="EncryptSessions", actions=("kms:GenerateDataKey",), resources=(place.omero_key_arn,)),
    )


def sign_in(place: Place) -> tuple[Statement, ...]:
    """What the commands of `sign-in` need. The client secret may be encrypted with the data key, or AWS's own.

    Raises:
        ValueError: the workspace has no section `sign_in`.
    """
    settings = place.workspace.sign_in
    if settings is None:
        raise ValueError(f"workspace {place.workspace.name} has no section sign_in")
    listener = f"app/{place.name('alb', 'web')}/*"
    rules = place.arn("elasticloadbalancing", f"listener-rule/{listener}")
    return (
        _parameters(place),
        Statement(
            sid="SeeRules",
            actions=(
                "ec2:DescribeSecurityGroups",
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeRules",
                "elasticloadbalancing:DescribeTags",
            ),
            resources=("*",),
            any_resource_because="these listings take no narrower resource",
        ),
        Statement(
            sid="LookAfterRule",
            actions=tuple(f"elasticloadbalancing:{each}" for each in ("AddTags", "DeleteRule", "ModifyRule")),
            resources=(rules,),
        ),
        Statement(
            sid="MakeRule",
            actions=("elasticloadbalancing:CreateRule",),
            resources=(place.arn("elasticloadbalancing", f"listener/{listener}"),),
        ),
        Statement(
            sid="ReadClientSecret",
            actions=("secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"),
            resources=(settings.client_secret_arn,),
        ),
        Statement(sid="DecryptClientSecret", actions=("kms:Decrypt",), resources=(place.data_key_arn,)),
    )


def images(place: Place) -> tuple[Statement, ...]:
    """What the commands of `images` need."""
    roles, workspace = ("web", "server"), place.workspace.name
    projects = (place.arn("codebuild", f"project/{container_images.project(workspace, role)}") for role in roles)
    repositories = (place.arn("ecr", f"repository/{container_images.repository(workspace, role)}") for role in roles)
    return (
        _parameters(place),
        Statement(
            sid="BuildImages",
            actions=("codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject", "codebuild:StartBuild"),
            resources=tuple(projects),
        ),
        Statement(sid="SeeImages", actions=("ecr:DescribeImages",), resources=tuple(repositories)),
        Statement(
            sid="ReadLogOfBuilds",
            actions=("logs:GetLogEvents",),
            resources=(place.arn("logs", f"log-group:{place.name('log_group', 'images')}:*"),),
        ),
    )


def sftp(place: Place) -> tuple[Statement, ...]:
    """What the commands of `sftp` need."""
    name = names.sftp(place.workspace.name)
    roles, group = place.arn("iam", f"role/{name}-*"), f"log-group:{place.name('log_group', 'sftp')}"
    deliveries = ("Create", "Delete", "Get", "Update")
    return (
        _parameters(place),
        Statement(
            sid="LookAfterServers",
            actions=("transfer:*",),
            resources=("*",),
            any_resource_because="a server has no name before it is there, and ListServers takes no narrower resource",
        ),
        Statement(
            sid="LookAfterRoles",
            actions=(
                "iam:CreateRole",
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:PassRole",
                "iam:PutRolePolicy",
                "iam:TagRole",
                "iam:UpdateAssumeRolePolicy",
            ),
            resources=(roles,),
        ),
        Statement(
            sid="LookAfterAddresses",
            actions=(
                "ec2:AllocateAddress",
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:CreateSecurityGroup",
                "ec2:CreateTags",
                "ec2:CreateVpcEndpoint",
                "ec2:DeleteSecurityGroup",
                "ec2:DeleteVpcEndpoints",
                "ec2:DescribeAddresses",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeVpcEndpoints",
                "ec2:ModifyVpcEndpoint",
                "ec2:ReleaseAddress",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
            ),
            resources=("*",),
            any_resource_because="these have no names before they are there, and the listings take no resource",
        ),
        Statement(
            sid="SeeFileSystemPolicy",
            actions=("elasticfilesystem:DescribeFileSystemPolicy",),
            resources=(place.arn("elasticfilesystem", f"file-system/{place.file_system_id}"),),
        ),
        Statement(
            sid="MakeFolders",
            actions=("lambda:InvokeFunction",),
            resources=(place.arn("lambda", f"function:{place.name('function', 'sftp-folders')}"),),
        ),
        Statement(
            sid="KeepHostKeys",
            actions=(
                "secretsmanager:CreateSecret",
                "secretsmanager:DeleteSecret",
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:RestoreSecret",
                "secretsmanager:TagResource",
            ),
            resources=(place.arn("secretsmanager", f"secret:{place.name('secret', 'sftp-host-keys')}*"),),
        ),
        Statement(
            sid="EncryptHostKeys", actions=("kms:Decrypt", "kms:GenerateDataKey"), resources=(place.data_key_arn,)
        ),
        Statement(
            sid="WatchLogins",
            actions=(
                "cloudwatch:DeleteAlarms",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
            ),
            resources=(place.arn("cloudwatch", "alarm:*"),),
        ),
        Statement(
            sid="ReadMetrics",
            actions=("cloudwatch:GetMetricStatistics",),
            resources=("*",),
            any_resource_because="metrics take no narrower resource",
        ),
        Statement(
            sid="LookAfterLog",
            actions=(
                "logs:AssociateKmsKey",
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:DeleteMetricFilter",
                "logs:DescribeLogStreams",
                "logs:DescribeMetricFilters",
                "logs:PutMetricFilter",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
            ),
            resources=(place.arn("logs", group), place.arn("logs", f"{group}:*")),
        ),
        Statement(
            sid="DeliverLogs",
            actions=(
                *(f"logs:{each}LogDelivery" for each in deliveries),
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
            ),
            resources=("*",),
            any_resource_because="deliveries take no narrower resource",
        ),
    )
