"""The RDS PostgreSQL instance of OMERO: TLS forced, encrypted, watched, backed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.db_instance import DbInstance
from cdktf_cdktf_provider_aws.db_parameter_group import DbParameterGroup, DbParameterGroupParameter
from cdktf_cdktf_provider_aws.db_subnet_group import DbSubnetGroup
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from constructs import Construct

from contract import names
from contract.policy import trust
from modules.account import Account
from modules.addresses import MAIN
from modules.audit import skip
from modules.connections import Endpoint
from modules.generated_secret import GeneratedSecret
from modules.log_group import LogSettings, log_group
from modules.security_group import SecurityGroup, SecurityGroupProps

# The newest major version that OMERO's image and OME's own tests use.
POSTGRES_MAJOR = "16"
POSTGRES_PORT = 5432
LOGS = ("postgresql", "upgrade")
NAME = "omero"
USER = "omero"


def logs_prefix(name: str) -> str:
    """What the names of an instance's log groups begin with; RDS decides on them."""
    return f"/aws/rds/instance/{name}/"


@dataclass(frozen=True, kw_only=True)
class DatabaseUser:
    """Who logs in to the database, and the secret with the password."""

    name: str
    password_arn: str


@dataclass(frozen=True, kw_only=True)
class DatabaseProps:
    """Sizes are in GiB. `apply_immediately` False leaves changes that restart it to its maintenance window."""

    name: str
    account: Account
    vpc_id: str
    subnet_ids: Sequence[str]
    key_arn: str
    password: GeneratedSecret
    instance_class: str
    storage_gib: int
    max_storage_gib: int
    multi_az: bool
    backup_days: int
    apply_immediately: bool
    logs: LogSettings
    retain: bool


class Database(Construct):
    """`address` is the host name, `arn` the instance's; clients connect to `endpoint`."""

    def __init__(self, scope: Construct, id_: str, props: DatabaseProps) -> None:
        super().__init__(scope, id_)
        group = SecurityGroup(
            self,
            "security_group",
            SecurityGroupProps(
                name=names.suffixed("security_group", props.name, "-postgres"),
                description="OMERO database",
                vpc_id=props.vpc_id,
            ),
        )
        subnets = DbSubnetGroup(
            self, "subnets", name=props.name, description="OMERO database", subnet_ids=list(props.subnet_ids)
        )
        parameters = DbParameterGroup(
            self,
            "parameters",
            name=names.suffixed("db_group", props.name, f"-postgres{POSTGRES_MAJOR}"),
            family=f"postgres{POSTGRES_MAJOR}",
            description="OMERO database: TLS forced, schema changes and slow statements logged",
            parameter=[
                DbParameterGroupParameter(name="log_min_duration_statement", value="5000"),
                DbParameterGroupParameter(name="log_statement", value="ddl"),
                DbParameterGroupParameter(name="rds.force_ssl", value="1"),
            ],
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        monitoring = IamRole(
            self,
            "monitoring_role",
            name=names.suffixed("role", props.name, "-monitoring"),
            assume_role_policy=trust("monitoring.rds.amazonaws.com", account_id=props.account.id),
        )
        monitoring_policy = IamRolePolicyAttachment(
            self,
            "monitoring_policy",
            role=monitoring.name,
            policy_arn=props.account.managed_policy("service-role/AmazonRDSEnhancedMonitoringRole"),
        )
        # RDS would make them itself: without an end, without the key, and to stay when the instance goes.
        logs = [
            log_group(self, f"{log}_log_group", name=f"{logs_prefix(props.name)}{log}", logs=props.logs) for log in LOGS
        ]
        instance = DbInstance(
            self,
            MAIN,
            identifier=props.name,
            engine="postgres",
            engine_version=POSTGRES_MAJOR,
            auto_minor_version_upgrade=True,
            instance_class=props.instance_class,
            db_name=NAME,
            username=USER,
            password_wo=props.password.read_while_applying(),
            password_wo_version=props.password.version,
            port=POSTGRES_PORT,
            storage_type="gp3",
            allocated_storage=props.storage_gib,
            max_allocated_storage=props.max_storage_gib,
            storage_encrypted=True,
            kms_key_id=props.key_arn,
            multi_az=props.multi_az,
            publicly_accessible=False,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[group.id],
            parameter_group_name=parameters.name,
            backup_retention_period=props.backup_days,
            # Clear of AWS Backup's own hour, and of each other; UTC.
            backup_window="01:00-01:30",
            maintenance_window="sun:05:00-sun:06:00",
            apply_immediately=props.apply_immediately,
            copy_tags_to_snapshot=True,
            deletion_protection=props.retain,
            # No final snapshot: a kept instance is not deleted, and one that goes is not wanted. Without an identifier
            # the provider refuses to delete an instance that does not skip it: one more lock on what is kept.
            skip_final_snapshot=not props.retain,
            enabled_cloudwatch_logs_exports=list(LOGS),
            monitoring_interval=60,
            monitoring_role_arn=monitoring.arn,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=props.key_arn,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=props.retain),
            depends_on=[monitoring_policy, *logs],
        )
        skip(instance, CKV_AWS_161="OMERO logs in with a password; its database layer knows no IAM tokens")
        if not props.multi_az:
            skip(instance, CKV_AWS_157="a standby doubles the price: data.database.multi_az of the workspace")
        if not props.retain:
            skip(instance, CKV_AWS_293="the workspace says retain: false")
        self.address = instance.address
        self.arn = instance.arn
        self.endpoint = Endpoint(
            id="to_database",
            port=POSTGRES_PORT,
            description="PostgreSQL",
            security_group_id=group.id,
            host=instance.address,
        )
