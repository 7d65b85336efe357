"""A DataSync task from an S3 bucket to a folder on EFS, which copies and never deletes.

It runs in Basic mode. Enhanced mode serves S3 to EFS too (API reference, CreateTask), but costs 0.55 USD an execution
(DataSync pricing, eu-west-1), and the schedule starts one every hour.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_log_resource_policy import CloudwatchLogResourcePolicy
from cdktf_cdktf_provider_aws.datasync_location_efs import DatasyncLocationEfs, DatasyncLocationEfsEc2Config
from cdktf_cdktf_provider_aws.datasync_location_s3 import DatasyncLocationS3, DatasyncLocationS3S3Config
from cdktf_cdktf_provider_aws.datasync_task import (
    DatasyncTask,
    DatasyncTaskOptions,
    DatasyncTaskSchedule,
    DatasyncTaskTaskReportConfig,
    DatasyncTaskTaskReportConfigReportOverrides,
    DatasyncTaskTaskReportConfigS3Destination,
)
from cdktf_cdktf_provider_aws.efs_access_point import (
    EfsAccessPoint,
    EfsAccessPointPosixUser,
    EfsAccessPointRootDirectory,
    EfsAccessPointRootDirectoryCreationInfo,
)
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from contract import names
from contract.omero import GID, UID
from contract.policy import Statement, document, trust
from modules.account import Account
from modules.addresses import MAIN
from modules.audit import skip
from modules.connections import open_ways
from modules.file_system import FileSystem
from modules.log_group import LogSettings, log_group
from modules.security_group import SecurityGroup, SecurityGroupProps

SERVICE = "datasync.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class SourceProps:
    """The bucket; `prefix` is the folder that is copied, "" all of it. `key_arn` None: it has no key of KMS's."""

    bucket_arn: str
    prefix: str
    key_arn: str | None


@dataclass(frozen=True, kw_only=True)
class ReportProps:
    """The bucket that each execution's report goes to, and its key."""

    bucket_arn: str
    key_arn: str


@dataclass(frozen=True, kw_only=True)
class DataSyncTaskProps:
    """`folder` is the destination as a path of the file system. `replace` lets the task replace files that differ.

    `name` is the task's, and begins those of its roles. `subnet_id` has to be in a zone with a mount target.
    """

    name: str
    account: Account
    source: SourceProps
    report: ReportProps
    file_system: FileSystem
    folder: str
    vpc_id: str
    subnet_id: str
    schedule: str
    replace: bool
    log_level: str
    log_group_name: str
    logs: LogSettings


class DataSyncTask(Construct):
    """`arn` is the task's."""

    def __init__(self, scope: Construct, id_: str, props: DataSyncTaskProps) -> None:
        super().__init__(scope, id_)
        self._props = props
        report_role, report_policy = self._role("reports", *_write_reports(props.report, props.account))
        logs = log_group(self, "logs", name=props.log_group_name, logs=props.logs)
        logs_policy = CloudwatchLogResourcePolicy(
            self, "logs_policy", policy_name=props.name, policy_document=_write_logs(logs.arn, props.account)
        )
        task = DatasyncTask(
            self,
            MAIN,
            name=props.name,
            source_location_arn=self._source(props.source),
            destination_location_arn=self._destination(),
            task_mode="BASIC",
            cloudwatch_log_group_arn=f"{logs.arn}:*",
            options=_options(props),
            schedule=DatasyncTaskSchedule(schedule_expression=props.schedule),
            task_report_config=DatasyncTaskTaskReportConfig(
                s3_destination=DatasyncTaskTaskReportConfigS3Destination(
                    s3_bucket_arn=props.report.bucket_arn, bucket_access_role_arn=report_role
                ),
                output_type="STANDARD",
                report_level="SUCCESSES_AND_ERRORS",
                # Said again: of a report without overrides the provider reads an empty block back.
                report_overrides=DatasyncTaskTaskReportConfigReportOverrides(
                    transferred_override="SUCCESSES_AND_ERRORS"
                ),
                s3_object_versioning="NONE",
            ),
            depends_on=[report_policy, logs_policy],
        )
        self.arn = task.arn

    def _role(self, purpose: str, *statements: Statement) -> tuple[str, IamRolePolicy]:
        """The ARN of a role that DataSync takes for this account only, and the policy that it cannot do without."""
        account = self._props.account
        role = IamRole(
            self,
            f"{purpose}_role",
            name=names.suffixed("role", self._props.name, f"-{purpose.replace('_', '-')}"),
            assume_role_policy=trust(SERVICE, account_id=account.id, source_arn=account.arn("datasync", "*")),
        )
        return role.arn, IamRolePolicy(
            self, f"{purpose}_policy", name="datasync", role=role.id, policy=document(*statements)
        )

    def _source(self, source: SourceProps) -> str:
        role, policy = self._role("source", *_read_objects(source, self._props.account))
        location = DatasyncLocationS3(
            self,
            "source",
            s3_bucket_arn=source.bucket_arn,
            subdirectory=f"/{source.prefix}",
            s3_config=DatasyncLocationS3S3Config(bucket_access_role_arn=role),
            depends_on=[policy],
        )
        return location.arn

    def _destination(self) -> str:
        props, file_system = self._props, self._props.file_system
        point = EfsAccessPoint(
            self,
            "access_point",
            file_system_id=file_system.id,
            posix_user=EfsAccessPointPosixUser(uid=UID, gid=GID),
            root_directory=EfsAccessPointRootDirectory(
                path=props.folder,
                creation_info=EfsAccessPointRootDirectoryCreationInfo(owner_uid=UID, owner_gid=GID, permissions="0755"),
            ),
            tags={"Name": props.name},
        )
        group = SecurityGroup(
            self,
            "security_group",
            SecurityGroupProps(name=props.name, description="DataSync", vpc_id=props.vpc_id),
        )
        skip(group.resource, CKV2_AWS_5="the location has it, by an ARN that checkov does not follow")
        # The rules' addresses are older than the endpoint's name.
        ways = open_ways(self, group, [file_system.endpoint.named("nfs")])
        role, policy = self._role("destination", _write_files(file_system.arn, point.arn))
        location = DatasyncLocationEfs(
            self,
            "destination",
            efs_file_system_arn=file_system.arn,
            access_point_arn=point.arn,
            file_system_access_role_arn=role,
            in_transit_encryption="TLS1_2",
            ec2_config=DatasyncLocationEfsEc2Config(
                subnet_arn=props.account.arn("ec2", f"subnet/{props.subnet_id}"),
                security_group_arns=[props.account.arn("ec2", f"security-group/{group.id}")],
            ),
            depends_on=[policy, *ways],
        )
        return location.arn


def _options(props: DataSyncTaskProps) -> DatasyncTaskOptions:
    return DatasyncTaskOptions(
        # The access point makes every file its user's. Comparing owners would fail each verification.
        uid="NONE",
        gid="NONE",
        # EFS has none, and reading them would take another permission.
        object_tags="NONE",
        overwrite_mode="ALWAYS" if props.replace else "NEVER",
        # Nothing is ever deleted at the destination: there is no setting for it.
        preserve_deleted_files="PRESERVE",
        transfer_mode="CHANGED",
        verify_mode="ONLY_FILES_TRANSFERRED",
        log_level=props.log_level,
    )


def _read_objects(source: SourceProps, account: Account) -> tuple[Statement, ...]:
    """As in the DataSync user guide, "Configuring transfers with Amazon S3", without what writes."""
    ours = {"StringEquals": {"aws:ResourceAccount": account.id}}
    prefix = f"{source.prefix}/" if source.prefix else ""
    statements = (
        Statement(
            sid="List",
            actions=("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
            resources=(source.bucket_arn,),
            conditions=ours,
        ),
        Statement(
            sid="Read",
            actions=("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:ListMultipartUploadParts"),
            resources=(f"{source.bucket_arn}/{prefix}*",),
            conditions=ours,
        ),
    )
    if source.key_arn is None:
        return statements
    return (*statements, Statement(sid="Decrypt", actions=("kms:Decrypt",), resources=(source.key_arn,)))


def _write_reports(report: ReportProps, account: Account) -> tuple[Statement, ...]:
    ours = {"StringEquals": {"aws:ResourceAccount": account.id}}
    return (
        Statement(
            sid="Look",
            actions=("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
            resources=(report.bucket_arn,),
            conditions=ours,
        ),
        Statement(
            sid="Write",
            actions=("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
            resources=(f"{report.bucket_arn}/*",),
            conditions=ours,
        ),
        # A multipart upload decrypts what it put before.
        Statement(sid="Encrypt", actions=("kms:GenerateDataKey", "kms:Decrypt"), resources=(report.key_arn,)),
    )


def _write_files(file_system_arn: str, access_point_arn: str) -> Statement:
    """Without ClientRootAccess: the access point makes DataSync, which mounts as root, its user 1000."""
    return Statement(
        sid="WriteThroughTheAccessPoint",
        actions=("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"),
        resources=(file_system_arn,),
        conditions={"StringEquals": {"elasticfilesystem:AccessPointArn": access_point_arn}},
    )


def _write_logs(log_group_arn: str, account: Account) -> str:
    """What a Basic mode task needs to log (DataSync user guide, "Monitoring with CloudWatch Logs")."""
    return document(
        Statement(
            sid="DataSyncOfThisAccountLogs",
            actions=("logs:CreateLogStream", "logs:PutLogEvents"),
            resources=(f"{log_group_arn}:*",),
            principals={"Service": (SERVICE,)},
            conditions={
                "StringEquals": {"aws:SourceAccount": account.id},
                "ArnLike": {"aws:SourceArn": account.arn("datasync", "task/*")},
            },
        )
    )
