"""Hosts that people import from by OMERO's command line: EC2 instances with /OMERO, in an autoscaling group.

A host goes into service once its set-up (hosts/upload_host.sh) has told a lifecycle hook that it succeeded. One whose
set-up failed, or said nothing in time, is ended and replaced, and the apply fails when none came into service. Hosts
that run are never replaced by an apply: an import may be going on. A new template, and with it a new AMI, is for those
that start later.

/OMERO can be written: an in-place import makes its links there, and the importer proves that it sees the server's own
repository by writing to it. Whoever writes does so as uid 1000, for the access point says so; sessions are those of the
user with that uid, so that what the importer reads and checks locally has the same owner.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdktf import Fn
from cdktf_cdktf_provider_aws.autoscaling_group import (
    AutoscalingGroup,
    AutoscalingGroupInitialLifecycleHook,
    AutoscalingGroupLaunchTemplate,
    AutoscalingGroupTag,
)
from cdktf_cdktf_provider_aws.ssm_document import SsmDocument
from constructs import Construct

import hosts
from contract.policy import Statement
from modules.account import Account
from modules.addresses import MAIN
from modules.connections import Endpoint, open_ways
from modules.container import Share
from modules.launch_template import SESSION_MANAGER, LaunchTemplateProps, instance_profile, launch_template
from modules.log_group import LogSettings, log_group
from modules.security_group import SecurityGroup, SecurityGroupProps

# AWS publishes the newest Amazon Linux 2023 here (Amazon Linux 2023 User Guide, "Launching with the SSM parameter").
IMAGE_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
# Glencoe Software's wheels, which OMERO's documentation on installing its command line names: of Python 3.12, the
# newest that OMERO recommends, and of glibc 2.28 and newer (Amazon Linux 2023 has 2.34).
ICE_WHEEL_URL = (
    "https://github.com/glencoesoftware/zeroc-ice-py-linux-x86_64/releases/download/20240202/"
    "zeroc_ice-3.6.5-cp312-cp312-manylinux_2_28_x86_64.whl"
)
# Where omero-py 5.23.0 finds the importer of a release (omero/plugins/import.py).
IMPORTER_URL = "https://downloads.openmicroscopy.org/omero/{version}/OMERO.java.zip"
# The user of Amazon Linux with the uid that the access point enforces.
PERSON = "ec2-user"

HOOK_NAME = "set-up"
# A set-up is about 500 MB of packages, some minutes; then the group gives it up.
SET_UP_SECONDS = 900
# Room for one that fails and its successor.
CAPACITY_TIMEOUT = "25m"
# EC2's limit before base64 (EC2 User Guide, "Run commands when you launch an EC2 instance").
USER_DATA_BYTES = 16_384
# What tokens may become: ids of 20 and 22 characters, an address, or a bucket's name of 63.
_TOKEN_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class Source:
    """A bucket that hosts may read, below `prefixes` (none: all of it), and the key that encrypts it, if it has one."""

    bucket: str
    prefixes: Sequence[str] = ()
    key_arn: str | None = None


@dataclass(frozen=True, kw_only=True)
class UploadHostProps:
    """`key_arn` encrypts sessions. A checksum of "" is not checked. `share`: a File Gateway's, to mount too."""

    name: str
    account: Account
    vpc_id: str
    subnet_ids: Sequence[str]
    instance_type: str
    count: int
    volume_gib: int
    sources: Sequence[Source]
    file_system_id: str
    file_system_arn: str
    access_point_id: str
    access_point_arn: str
    file_system: Endpoint
    share: Share | None
    server: Endpoint
    importer_version: str
    importer_sha256: str
    ice_wheel_sha256: str
    log_group_name: str
    logs: LogSettings
    key_arn: str
    tags: Mapping[str, str]


class UploadHost(Construct):
    """`security_group` guards them, `group_name` is the autoscaling group.

    `session_document_name` is what a session is opened with.
    """

    def __init__(self, scope: Construct, id_: str, props: UploadHostProps) -> None:
        super().__init__(scope, id_)
        group = SecurityGroup(
            self,
            "security_group",
            SecurityGroupProps(name=props.name, description="Upload hosts", vpc_id=props.vpc_id),
        )
        group.allow_out_to_anywhere("https", port=443, description="S3, packages, Session Manager")
        shares = [props.share.endpoint] if props.share else []
        ways = open_ways(self, group, [props.file_system, *shares, props.server])
        logs = log_group(self, "logs", name=props.log_group_name, logs=props.logs)
        profile, policy = instance_profile(self, name=props.name, statements=_statements(props, logs.arn))
        template = launch_template(
            self,
            LaunchTemplateProps(
                name=props.name,
                image_parameter=IMAGE_PARAMETER,
                instance_type=props.instance_type,
                volume_gib=props.volume_gib,
                user_data=_user_data(props),
                security_group_id=group.id,
                tags=props.tags,
                profile=profile,
            ),
        )
        AutoscalingGroup(
            self,
            MAIN,
            name=props.name,
            min_size=props.count,
            max_size=props.count,
            desired_capacity=props.count,
            vpc_zone_identifier=list(props.subnet_ids),
            launch_template=AutoscalingGroupLaunchTemplate(
                id=template.id, version=Fn.tostring(template.latest_version)
            ),
            # It is there before the first host starts.
            initial_lifecycle_hook=[
                AutoscalingGroupInitialLifecycleHook(
                    name=HOOK_NAME,
                    lifecycle_transition="autoscaling:EC2_INSTANCE_LAUNCHING",
                    default_result="ABANDON",
                    heartbeat_timeout=SET_UP_SECONDS,
                )
            ],
            wait_for_capacity_timeout=CAPACITY_TIMEOUT,
            health_check_type="EC2",
            tag=[
                AutoscalingGroupTag(key=key, value=value, propagate_at_launch=False)
                for key, value in sorted(props.tags.items())
            ],
            # Without them a host could neither mount nor report.
            depends_on=[policy, logs, *ways],
        )
        document = SsmDocument(
            self,
            "session",
            name=props.name,
            document_type="Session",
            document_format="JSON",
            content=_session(props),
            depends_on=[logs],
        )
        self.security_group = group
        self.group_name = props.name
        self.session_document_name = document.name
        self.log_group_name = logs.name


def _session(props: UploadHostProps) -> str:
    """Sessions of the user with uid 1000, encrypted by the key and recorded in the log group.

    Session Manager would start `sh` as a user of its own; a login shell reads /etc/profile.d.
    """
    return json.dumps(
        {
            "schemaVersion": "1.0",
            "description": "A shell on an upload host of OMERO",
            "sessionType": "Standard_Stream",
            "inputs": {
                "runAsEnabled": True,
                "runAsDefaultUser": PERSON,
                "shellProfile": {"linux": "cd && exec bash -l"},
                # Minutes; Session Manager takes 1 to 60.
                "idleSessionTimeout": "60",
                "kmsKeyId": props.key_arn,
                "cloudWatchLogGroupName": props.log_group_name,
                "cloudWatchEncryptionEnabled": True,
                "cloudWatchStreamingEnabled": True,
            },
        }
    )


def _user_data(props: UploadHostProps) -> str:
    """The script with its variables before it.

    Raises:
        ValueError: it is longer than EC2 takes.
    """
    variables = {
        "REGION": props.account.region,
        "GROUP_NAME": props.name,
        "HOOK_NAME": HOOK_NAME,
        "LOG_GROUP_NAME": props.log_group_name,
        "SERVER_HOST": props.server.known_host,
        "ICE_WHEEL": ICE_WHEEL_URL + (f"#sha256={props.ice_wheel_sha256}" if props.ice_wheel_sha256 else ""),
        "IMPORTER_URL": IMPORTER_URL.format(version=props.importer_version),
        "IMPORTER_SHA256": props.importer_sha256,
        "REQUIREMENTS": hosts.requirements().strip(),
        "SHARE_PATH": props.share.path if props.share else "",
    }
    known = "#!/bin/bash\n" + "".join(f"{name}='{value}'\n" for name, value in variables.items())
    script = hosts.script("upload_host.sh")
    # Another stack's ids are known to Terraform only.
    tokens = {
        "FILE_SYSTEM_ID": props.file_system_id,
        "ACCESS_POINT_ID": props.access_point_id,
        "SHARE_ADDRESS": props.share.endpoint.known_host if props.share else "",
        "SHARE_BUCKET": props.share.bucket if props.share else "",
    }
    size = len((known + script).encode()) + sum(len(f"{name}=''\n") + _TOKEN_BYTES for name in tokens)
    if size > USER_DATA_BYTES:
        raise ValueError(
            f"the user data has {size} bytes and EC2 takes {USER_DATA_BYTES}; shorten hosts/upload_host.sh"
        )
    parts = [_literal(known)]
    for name, token in tokens.items():
        parts += [_literal(f"{name}='"), token, _literal("'\n")]
    return Fn.join("", [*parts, _literal(script)])


# In a text without tokens CDKTF escapes quotes, but no backslash.
def _literal(text: str) -> str:
    return Fn.raw_string(text.replace("\\", "\\\\"))


def _statements(props: UploadHostProps, log_group_arn: str) -> tuple[Statement, ...]:
    """What a host needs: its session, /OMERO, the end of its set-up, its log, and the named buckets."""
    account = props.account
    mount = Statement(
        sid="MountOmero",
        actions=("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"),
        resources=(props.file_system_arn,),
        conditions={"StringEquals": {"elasticfilesystem:AccessPointArn": props.access_point_arn}},
    )
    set_up = Statement(
        sid="EndOwnSetUp",
        actions=("autoscaling:CompleteLifecycleAction",),
        resources=(account.arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{props.name}"),),
    )
    logs = Statement(
        sid="WriteOwnLogGroup",
        actions=("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
        resources=(log_group_arn, f"{log_group_arn}:*"),
    )
    find = Statement(
        sid="FindLogGroups",
        actions=("logs:DescribeLogGroups",),
        resources=("*",),
        any_resource_because="Session Manager looks for its log group, and the action takes no narrower resource",
    )
    sessions = Statement(sid="DecryptSessions", actions=("kms:Decrypt",), resources=(props.key_arn,))
    sources = tuple(
        statement for index, source in enumerate(props.sources) for statement in _read(account, source, index)
    )
    return (SESSION_MANAGER, mount, set_up, logs, find, sessions, *sources)


def _read(account: Account, source: Source, index: int) -> tuple[Statement, ...]:
    """Read one bucket of this account: a name that somebody else's bucket has gives nothing."""
    arn = f"arn:{account.partition}:s3:::{source.bucket}"
    own = {"aws:ResourceAccount": account.id}
    below = {"StringLike": {"s3:prefix": tuple(f"{prefix}*" for prefix in source.prefixes)}} if source.prefixes else {}
    statements = (
        Statement(
            sid=f"ListBucket{index}",
            actions=("s3:ListBucket",),
            resources=(arn,),
            conditions={"StringEquals": own, **below},
        ),
        Statement(
            sid=f"ReadBucket{index}",
            actions=("s3:GetObject",),
            resources=tuple(f"{arn}/{prefix}*" for prefix in source.prefixes or ("",)),
            conditions={"StringEquals": own},
        ),
    )
    if source.key_arn is None:
        return statements
    decrypt = Statement(
        sid=f"DecryptBucket{index}",
        actions=("kms:Decrypt",),
        resources=(source.key_arn,),
        conditions=account.kms_via("s3"),
    )
    return (*statements, decrypt)
