"""Section `file_gateway`: an S3 File Gateway and its bucket."""

from __future__ import annotations

from contract.kinds import Kind
from contract.outputs import Output, Outputs
from contract.section import SectionRecord, Stack


class FileGatewayOutputs(Outputs):
    """Outputs of the stack `file_gateway`."""

    stack = "file_gateway"

    bucket_name = Output("The bucket that the share shows.")
    gateway_arn = Output("The File Gateway.")
    address = Output("The gateway's address in the VPC.")
    export = Output("What is mounted from there, by NFS 4.1.")
    security_group_id = Output("Guards the gateway's port 2049.")
    file_share_arn = Output("The NFS file share.")
    refresh_failures_queue = Output("Refreshes that AWS kept refusing.")
    alarm_topic_arn = Output("Reports refreshes that failed: subscribe to it.")


class FileGatewayBucketOutputs(Outputs):
    """Outputs of the stack `file_gateway_bucket`, which outlives the stack `file_gateway`."""

    stack = "file_gateway_bucket"

    bucket_name = Output("The bucket that the share shows.")


RECORD = SectionRecord(
    key="file_gateway",
    stack=Stack(class_="stacks.file_gateway.FileGatewayStack", comes="before_omero", outputs=FileGatewayOutputs),
    kept=Stack(class_="stacks.kept.FileGatewayBucket", comes="before_omero", outputs=FileGatewayBucketOutputs),
    kinds={
        "gateway": Kind(service="storagegateway", operation="list_gateways", ids="Gateways[].GatewayId"),
        "file share": Kind(
            service="storagegateway", operation="list_file_shares", ids="FileShareInfoList[].FileShareId"
        ),
    },
    rehearsal="scripts.rehearsal.file_gateway.REHEARSAL",
    command=None,
)
