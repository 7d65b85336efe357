"""Stack `file_gateway`: the S3 File Gateway that shows a bucket to OMERO's servers as files.

The bucket itself is in `stacks.kept`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from cdktf_cdktf_provider_aws.data_aws_subnet import DataAwsSubnet
from constructs import Construct

from contract import names
from contract.sections.file_gateway import FileGatewayBucketOutputs
from contract.sections.file_gateway import FileGatewayOutputs as Outputs
from modules.alarm_topic import PUBLISHERS, AlarmTopic, AlarmTopicProps
from modules.cache_refresh import CacheRefresh, CacheRefreshProps
from modules.file_gateway import FileGateway, FileGatewayProps
from modules.file_share import FileShare, FileShareProps
from modules.function import VpcConfig
from modules.key import Key, KeyProps
from modules.log_group import log_group
from modules.vpc import ZONES
from settings import Workspace
from settings.file_gateway import FileGateway as FileGatewaySettings
from stacks.built import Built
from stacks.kept import FileGatewayBucket
from stacks.sections import SectionStack


class FileGatewayStack(SectionStack):
    """`endpoint` and `bucket_name` are what servers and hosts mount, of the share `share_arn`."""

    def __init__(self, scope: Construct, workspace: Workspace, built: Built, settings: FileGatewaySettings) -> None:
        super().__init__(scope, "file_gateway", workspace)
        self._settings = settings
        self._network = built.network
        self._logs = built.network.log_settings(settings.log_retention_days)
        bucket_name, bucket_arn, bucket_key_arn = self._bucket(built)
        gateway = self._gateway()
        share = FileShare(
            self,
            "share",
            FileShareProps(
                name=names.physical("role", workspace.name, "file-share"),
                account=self.account,
                gateway_arn=gateway.arn,
                bucket_name=bucket_name,
                bucket_arn=bucket_arn,
                key_arn=bucket_key_arn,
                clients=self._clients(),
                stale_timeout_seconds=settings.stale_timeout_seconds,
                audit_log_group_arn=self._log_group("audit_log", "file-share"),
            ),
        )
        refresh = CacheRefresh(
            self,
            "refresh",
            CacheRefreshProps(
                name=names.physical("role", workspace.name, "cache-refresh"),
                bucket_name=bucket_name,
                share_arn=share.arn,
                log_group_name=names.physical("log_group", workspace.name, "cache-refresh"),
                logs=self._logs,
            ),
        )
        topic = self._alarms(refresh)
        self.endpoint = gateway.endpoint
        self.bucket_name = bucket_name
        self.share_arn = share.arn
        self.publish(Outputs.bucket_name, bucket_name)
        self.publish(Outputs.gateway_arn, gateway.arn)
        self.publish(Outputs.address, gateway.endpoint.known_host)
        self.publish(Outputs.export, share.export)
        self.publish(Outputs.security_group_id, gateway.security_group_id)
        self.publish(Outputs.file_share_arn, share.arn)
        self.publish(Outputs.refresh_failures_queue, refresh.dead_letter_queue_name)
        self.publish(Outputs.alarm_topic_arn, topic.arn)

    def _disk_key_arn(self) -> str:
        """The key of the gateway's disks, which hold copies of images: the data's own where the workspace names one."""
        return self.workspace.data.key_arn or self.key("disks of the File Gateway", retain=False).arn

    def _bucket(self, built: Built) -> tuple[str, str, str | None]:
        """Its name, its ARN and its key's."""
        existing = self._settings.bucket
        if existing:
            return existing, f"arn:{self.account.partition}:s3:::{existing}", self._settings.bucket_key_arn
        kept = cast("FileGatewayBucket", built.sections[FileGatewayBucketOutputs.stack])
        return kept.bucket.name, kept.bucket.arn, kept.key_arn

    def _gateway(self) -> FileGateway:
        settings, workspace = self._settings, self.workspace
        vpc = self._network.vpc
        return FileGateway(
            self,
            "gateway",
            FileGatewayProps(
                name=names.physical("role", workspace.name, "file-gateway"),
                account=self.account,
                vpc_config=VpcConfig(vpc_id=vpc.id, subnet_ids=vpc.private_subnet_ids),
                instance_type=settings.instance_type,
                cache_gib=settings.cache_gib,
                activation_cidrs=settings.activation_cidrs or (),
                log_group_arn=self._log_group("log", "file-gateway"),
                function_log_group_name=names.physical("log_group", workspace.name, "file-gateway-activation"),
                logs=self._logs,
                key_arn=self._disk_key_arn(),
            ),
        )

    def _clients(self) -> Sequence[str]:
        """The private subnets, where the servers' instances are; the security group lets in no others of there."""
        subnet_ids = self._network.vpc.private_subnet_ids
        return [
            DataAwsSubnet(self, f"private_{zone}", id=subnet_id).cidr_block
            for zone, subnet_id in zip(ZONES, subnet_ids, strict=True)
        ]

    def _alarms(self, refresh: CacheRefresh) -> AlarmTopic:
        """Their key is not that of images, which no other service may use."""
        workspace = self.workspace
        key = Key(
            self,
            "alarm_key",
            KeyProps(
                name=names.physical("alias", workspace.name, "file-gateway-alarms"),
                description=f"OMERO {workspace.name}: alarms of the File Gateway",
                account=self.account,
                retain=False,
                services=PUBLISHERS,
            ),
        )
        topic = AlarmTopic(
            self,
            "alarms",
            AlarmTopicProps(
                name=names.physical("topic", workspace.name, "file-gateway"),
                account=self.account,
                key_arn=key.arn,
                emails=self._settings.alarm_emails,
            ),
        )
        topic.alarm(
            "dead_letters",
            name=names.physical("alarm", workspace.name, "file-gateway-dead-letters"),
            description="The share's cache could not be refreshed: new objects are seen late. Read the function's log, "
            "then purge the queue.",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": refresh.dead_letter_queue_name},
            statistic="Maximum",
        )
        return topic

    def _log_group(self, id_: str, role: str) -> str:
        """Its ARN."""
        name = names.physical("log_group", self.workspace.name, role)
        return log_group(self, id_, name=name, logs=self._logs).arn
