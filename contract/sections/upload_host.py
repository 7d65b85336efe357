"""Section `upload_host`: hosts with OMERO's command line."""

from __future__ import annotations

from contract.kinds import Kind
from contract.outputs import Output, Outputs
from contract.section import SectionRecord, Stack


class UploadHostOutputs(Outputs):
    """Outputs of the stack `upload_host`."""

    stack = "upload_host"

    autoscaling_group_name = Output("The hosts' autoscaling group.")
    session_document_name = Output("What a session is opened with.")
    log_group_name = Output("The logs of set-ups and sessions.")
    security_group_id = Output("The hosts' security group.")
    open_session = Output("Opens a shell on a host; then: omero login.")


RECORD = SectionRecord(
    key="upload_host",
    stack=Stack(class_="stacks.upload_host.UploadHostStack", comes="after_omero", outputs=UploadHostOutputs),
    kinds={
        "SSM document": Kind(
            service="ssm",
            operation="list_documents",
            ids="DocumentIdentifiers[].Name",
            arguments=(("Filters", [{"Key": "Owner", "Values": ["Self"]}]),),
        ),
    },
    rehearsal=None,
    command=None,
)
