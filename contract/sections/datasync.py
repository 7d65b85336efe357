"""Section `datasync`: a bucket whose objects become files below /OMERO."""

from __future__ import annotations

from contract.kinds import Kind
from contract.outputs import Output, Outputs
from contract.section import SectionRecord, Stack


class DataSyncOutputs(Outputs):
    """Outputs of the stack `datasync`. The queues and the starter only with `start_on_arrival`."""

    stack = "datasync"

    task_arn = Output("The task that copies the bucket's objects onto the file system.")
    bucket_name = Output("The bucket to put images into.")
    bucket_folder = Output("The folder of the bucket that is copied.")
    folder = Output("Where OMERO.server sees the files.")
    report_bucket_name = Output("Where the report of each execution is.")
    alarm_topic_arn = Output("Says when a transfer fails: subscribe to it.")
    arrivals_queue_url = Output("Objects that wait to be copied.")
    starter_function_name = Output("Starts the task for what has arrived, every minute.")
    dead_letters_url = Output("Messages that no execution could be started for.")


class DataSyncBucketsOutputs(Outputs):
    """Outputs of the stack `datasync_buckets`, which outlives the stack `datasync`."""

    stack = "datasync_buckets"

    bucket_name = Output("The bucket to put images into, if it was not there already.")
    report_bucket_name = Output("Where the report of each execution is.")


RECORD = SectionRecord(
    key="datasync",
    stack=Stack(class_="stacks.datasync.DataSyncStack", comes="after_omero", outputs=DataSyncOutputs),
    kept=Stack(class_="stacks.kept.DataSyncBuckets", comes="after_omero", outputs=DataSyncBucketsOutputs),
    kinds={
        "DataSync task": Kind(service="datasync", operation="list_tasks", ids="Tasks[].TaskArn"),
        "DataSync location": Kind(service="datasync", operation="list_locations", ids="Locations[].LocationArn"),
    },
    rehearsal="scripts.rehearsal.datasync.REHEARSAL",
    command=None,
)
