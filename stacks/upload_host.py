"""Stack `upload_host`: hosts with OMERO's command line and /OMERO. It can come and go; nothing is kept in it."""

from __future__ import annotations

from constructs import Construct

from contract import names
from contract.sections.upload_host import UploadHostOutputs as Outputs
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
        key = self.key("sessions of the upload hosts", retain=False)
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
                file_system=data.file_system.endpoint,
                share=share_of(workspace, "upload_hosts", built.file_gateway),
                server=built.omero.server_endpoint,
                importer_version=settings.importer_version,
                importer_sha256=settings.importer_sha256 or "",
                ice_wheel_sha256=settings.ice_wheel_sha256 or "",
                log_group_name=log_group_name,
                logs=built.network.log_settings(settings.log_retention_days),
                key_arn=key.arn,
                tags=self.tags,
            ),
        )
        self._publish()

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
