"""Stack `upload_host`: hosts with OMERO's command line and /OMERO. It can come and go; nothing is kept in it."""

from __future__ import annotations

from constructs import Construct

from contract import names
from contract.omero import SERVER_PORT
from contract.sections.upload_host import UploadHostOutputs as Outputs
from modules.file_system import NFS_PORT
from modules.security_group import connect
from modules.upload_host import Source, UploadHost, UploadHostProps
from settings import Workspace
from settings.upload_host import UploadHost as UploadHostSettings
from stacks.built import Built
from stacks.sections import SectionStack
from stacks.shares import share_of


class UploadHostStack(SectionStack):
    """Of a workspace with the section `upload_host`."""

    def __init__(self, scope: Construct, workspace: Workspace, built: Built, settings: UploadHostSettings) -> None:
        super().__init__(scope, "upload_host", workspace)
        data, vpc = built.data, built.network.vpc
        log_group_name = names.physical("log_group", workspace.name, "upload-host")
        name = names.physical("launch_template", workspace.name, "upload-host")
        # It encrypts no image and no metadata.
        key = self.key("logs and sessions of the upload hosts", retain=False, logs_prefixes=(log_group_name,))
        self.host = UploadHost(
            self,
            "host",
            UploadHostProps(
                name=name,
                account=self.account,
                vpc_id=vpc.id,
                subnet_ids=vpc.private_subnet_ids,
                instance_type=settings.instance_type,
                count=settings.count,
                volume_gib=settings.volume_gib,
                sources=[
                    Source(bucket=source.bucket, prefixes=source.prefixes, key_arn=source.key_arn)
                    for source in settings.sources
                ],
                file_system_id=data.file_system.id,
                file_system_arn=data.file_system.arn,
                access_point_id=data.file_system.access_point_id,
                access_point_arn=data.file_system.access_point_arn,
                share=share_of(workspace, "upload_hosts", built.file_gateway),
                server_host=built.omero.server.host,
                importer_version=settings.importer_version,
                importer_sha256=settings.importer_sha256 or "",
                ice_wheel_sha256=settings.ice_wheel_sha256 or "",
                log_group_name=log_group_name,
                log_retention_days=settings.log_retention_days,
                key_arn=key.arn,
                tags=self.tags,
            ),
        )
        self._connect(built)
        self._publish()

    def _connect(self, built: Built) -> None:
        """The ways go with this stack; the other stacks' groups stay as they are."""
        hosts = self.host.security_group.id
        ways = [
            ("host_to_file_system", built.data.file_system.security_group_id, NFS_PORT, "NFS over TLS"),
            ("host_to_server", built.omero.server.security_group_id, SERVER_PORT, "OMERO over TLS"),
        ]
        if built.file_gateway:
            ways.append(("host_to_share", built.file_gateway.security_group_id, NFS_PORT, "NFS"))
        for id_, target, port, description in ways:
            connect(self, id_, source_id=hosts, target_id=target, port=port, description=description)
        if share := self.workspace.share:
            self.host.security_group.allow_out_to_cidr(
                "share", cidr=f"{share.address}/32", port=NFS_PORT, description="Share of the File Gateway"
            )

    def _publish(self) -> None:
        host = self.host
        region = self.workspace.region
        instance = (
            f"aws autoscaling describe-auto-scaling-groups --region {region} --auto-scaling-group-names "
            f"{host.group_name} --query 'AutoScalingGroups[0].Instances[0].InstanceId' --output text"
        )
        session = f"aws ssm start-session --region {region} --document-name {host.session_document_name}"
        self.publish(Outputs.autoscaling_group_name, host.group_name)
        self.publish(Outputs.session_document_name, host.session_document_name)
        self.publish(Outputs.log_group_name, host.log_group_name)
        self.publish(Outputs.security_group_id, host.security_group.id)
        self.publish(Outputs.open_session, f'{session} --target "$({instance})"')
