"""Stack `sftp`: the drop area of senders, and whom an alarm of the endpoint reaches.

The endpoint and its users are no resources of Terraform: `omero-aws sftp` makes them. Senders come and go
without a deployment, and neither their keys nor the endpoint's host key get into a state.
"""

from __future__ import annotations

from constructs import Construct

from contract import names
from contract.sections.sftp import SftpOutputs as Outputs
from modules.alarm_topic import PUBLISHERS, AlarmTopic, AlarmTopicProps
from modules.drop_area import DropArea, DropAreaProps
from modules.function import VpcConfig
from settings import Workspace
from settings.sftp import Sftp
from stacks.built import Built
from stacks.sections import SectionStack


class SftpStack(SectionStack):
    """Of a workspace with the section `sftp`; files that were delivered stay when it goes.

    It comes after the stack `omero`, whose server is the first to mount /OMERO and has EFS make it as its own: what
    makes a folder below it first might leave /OMERO itself to root.
    """

    def __init__(self, scope: Construct, workspace: Workspace, built: Built, settings: Sftp) -> None:
        super().__init__(scope, "sftp", workspace)
        self.add_dependency(built.omero)
        vpc = built.network.vpc
        log_group_name = names.physical("log_group", workspace.name, "sftp")
        key = self.key("alarms of SFTP", retain=False, services=PUBLISHERS)
        area = DropArea(
            self,
            "drop_area",
            DropAreaProps(
                name=names.physical("function", workspace.name, "sftp-folders"),
                folder=settings.folder,
                file_system=built.data.file_system,
                vpc_config=VpcConfig(vpc_id=vpc.id, subnet_ids=vpc.private_subnet_ids),
                log_group_name=f"{log_group_name}-folders",
                logs=built.network.log_settings(settings.log_retention_days),
            ),
        )
        topic = AlarmTopic(
            self,
            "alarms",
            AlarmTopicProps(
                name=names.physical("topic", workspace.name, "sftp"),
                account=self.account,
                key_arn=key.arn,
                emails=settings.alarm_emails,
            ),
        )
        self.publish(Outputs.folder, settings.folder)
        self.publish(Outputs.folders_function_name, area.function_name)
        self.publish(Outputs.log_group_name, log_group_name)
        self.publish(Outputs.alarm_topic_arn, topic.arn)
