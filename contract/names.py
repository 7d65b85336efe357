"""Physical names, all from here, within each service's limit. Modules add what they need to a name by `suffixed`."""

from __future__ import annotations

from settings import Workspace

# Longest name each service takes, in characters (its API reference, create call).
LIMITS = {
    "alb": 32,
    "nlb": 32,
    "target_group": 32,
    "bucket": 63,
    "db_instance": 63,
    "role": 64,
    "cluster": 255,
    "service": 255,
    "security_group": 255,
    "alias": 256,
    "secret": 512,
    "log_group": 512,
    "namespace": 1024,
    "vault": 50,
    "plan": 50,
    "policy": 256,
    "db_group": 255,
    "cache": 40,  # and of its users and their group
    "launch_template": 128,
    "dashboard": 255,
    "datasync_task": 256,
    "function": 64,
    "queue": 80,
    "topic": 256,
    "rule": 64,
    "alarm": 255,
    "table": 255,
    "appstream": 100,
    "repository": 256,
    "project": 150,
}

PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}

STATE_KEY_PREFIX = "omero"
"""`workspace_key_prefix` of Terraform's S3 backend: state objects are `omero/<workspace>/<stack>.tfstate`."""


def physical(service: str, workspace: str, role: str) -> str:
    """The name of the thing that plays `role` in `workspace`, for instance `omero-prod-web`.

    Raises:
        ValueError: it is longer than the service takes.
    """
    if service == "log_group":
        return _within(service, f"{log_prefix(workspace)}/{role}")
    if service == "secret":
        return _within(service, f"omero/{workspace}/{role}")
    return _within(service, f"{base(workspace)}-{role}")


def base(workspace: str) -> str:
    """What names of a workspace begin with, and the name of what there is one of: VPC, cluster, file system."""
    return f"omero-{workspace}"


def log_prefix(workspace: str) -> str:
    """What the names of all log groups of a workspace begin with, before a slash."""
    return f"/omero/{workspace}"


def bucket(workspace: str, role: str, account_id: str, region: str) -> str:
    """A bucket's name; the world shares one list of them, so it carries account and region."""
    return _within("bucket", f"{base(workspace)}-{role}-{account_id}-{region}")


def cluster(workspace: str) -> str:
    """The ECS cluster's name."""
    return _within("cluster", base(workspace))


def database(workspace: str) -> str:
    """The database instance's name."""
    return physical("db_instance", workspace, "database")


def sftp(workspace: str) -> str:
    """The name of the SFTP endpoint, with which the names of its roles and of its security group begin."""
    return suffixed("security_group", base(workspace), "-sftp")


def suffixed(service: str, name: str, suffix: str) -> str:
    """The name of something beside the thing `name`, for instance `omero-prod-web-task`.

    Raises:
        ValueError: it is longer than the service takes.
    """
    return _within(service, f"{name}{suffix}")


def state_prefix(account_id: str) -> str:
    """What the default names of an account's state buckets begin with, in any region."""
    return f"omero-state-{account_id}-"


def state_bucket(workspace: Workspace) -> str:
    """The S3 bucket of Terraform's state: the workspace's own, or one for all of an account and region."""
    return workspace.state.bucket or _state(workspace)


def state_table(workspace: Workspace) -> str:
    """The DynamoDB table of the locks: the workspace's own, or one for all of an account and region."""
    return workspace.state.table or _state(workspace)


def _state(workspace: Workspace) -> str:
    return _within("bucket", f"{state_prefix(workspace.account_id)}{workspace.state_region}")


def state_key(stack: str) -> str:
    """The `key` of a stack in Terraform's S3 backend; Terraform puts prefix and workspace before it."""
    return f"{stack}.tfstate"


def state_object_prefix(workspace: str) -> str:
    """What the keys of all state objects of a workspace begin with, in the state bucket."""
    return f"{STATE_KEY_PREFIX}/{workspace}/"


def namespace(workspace: str) -> str:
    """The private DNS domain of a workspace's services, for instance `prod.omero.internal`."""
    return _within("namespace", f"{workspace}.omero.internal")


def parameter_path(workspace: str) -> str:
    """The SSM parameter path under which a workspace publishes what scripts need."""
    return f"/omero/{workspace}"


def partition(region: str) -> str:
    """The AWS partition of a region: `aws`, `aws-cn`, `aws-us-gov` or `aws-eusc`."""
    return next((name for prefix, name in PARTITIONS.items() if region.startswith(prefix)), "aws")


def _within(service: str, name: str) -> str:
    limit = LIMITS[service]
    if len(name) > limit:
        raise ValueError(f"the name {name} has {len(name)} characters; a {service} takes {limit}")
    return name
