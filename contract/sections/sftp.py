"""Section `sftp`: senders deliver by SFTP. The stack has the drop area; scripts make endpoint and senders."""

from __future__ import annotations

from contract.kinds import Kind, ScriptMade
from contract.outputs import Output, Outputs
from contract.section import SectionRecord, Stack


class SftpOutputs(Outputs):
    """Outputs of the stack `sftp`."""

    stack = "sftp"

    folder = Output("The drop area, as OMERO.server sees it and in the file system.")
    folders_function_name = Output("Makes senders' folders there.")
    log_group_name = Output("What the endpoint logs to, once it is made.")
    alarm_topic_arn = Output("Says when too many log-ins fail: subscribe to it.")


RECORD = SectionRecord(
    key="sftp",
    stack=Stack(class_="stacks.sftp.SftpStack", comes="after_omero", outputs=SftpOutputs),
    kinds={"SFTP server": Kind(service="transfer", operation="list_servers", ids="Servers[].ServerId")},
    rehearsal="scripts.rehearsal.sftp.REHEARSAL",
    command="omero-aws sftp",
    script_made=(
        ScriptMade(
            what="SFTP server",
            service="transfer",
            operation="list_servers",
            rows="Servers[].[ServerId, Arn]",
            tags_argument="Arn",
            stands_on=("network", "data", "sftp"),
        ),
    ),
)
