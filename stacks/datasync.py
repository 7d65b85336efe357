"""Stack `datasync`: the objects of a bucket become files below /OMERO. The bucket itself is in `stacks.kept`."""

from __future__ import annotations

import json
from typing import cast

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from constructs import Construct

from contract import names
from contract.policy import Statement
from contract.sections.datasync import DataSyncBucketsOutputs
from contract.sections.datasync import DataSyncOutputs as Outputs
from modules.alarm_topic import PUBLISHERS, AlarmTopic, AlarmTopicProps
from modules.arrivals import Arrivals, ArrivalsProps
from modules.datasync import DataSyncTask, DataSyncTaskProps, ReportProps, SourceProps
from modules.function import Function, FunctionProps, call_at_a_rate
from settings import Workspace
from settings.datasync import DataSync
from stacks.built import Built
from stacks.kept import DataSyncBuckets
from stacks.sections import SectionStack

STARTER_SECONDS = 55


class DataSyncStack(SectionStack):
    """Task, and what starts it when an object arrives; files that were copied stay when it goes.

    It comes after the stack `omero`, whose server is the first to mount /OMERO and has EFS make it as its own: what
    makes a folder below it first might leave /OMERO itself to root.
    """

    def __init__(self, scope: Construct, workspace: Workspace, built: Built, settings: DataSync) -> None:
        super().__init__(scope, "datasync", workspace)
        self.add_dependency(built.omero)
        self._settings = settings
        self._network = built.network
        self._data = built.data
        self._name = names.physical("datasync_task", workspace.name, "datasync")
        self._log_group_name = names.physical("log_group", workspace.name, "datasync")
        self._logs = built.network.log_settings(settings.log_retention_days)
        # Alarms name executions and queues, no image.
        self._key = self.key("alarms of DataSync", retain=False, services=PUBLISHERS)
        self._kept = cast("DataSyncBuckets", built.sections[DataSyncBucketsOutputs.stack])
        self.bucket_name, self._source = self._find_bucket(settings.bucket) if settings.bucket else self._own_bucket()
        self.task = self._task()
        self.topic = self._topic()
        self._alarm_on_failure()
        if settings.start_on_arrival:
            self._start_on_arrival()
        self._publish()

    def _find_bucket(self, name: str) -> tuple[str, SourceProps]:
        settings, partition = self._settings, self.account.partition
        return name, SourceProps(
            bucket_arn=f"arn:{partition}:s3:::{name}", prefix=settings.prefix or "", key_arn=settings.key_arn
        )

    def _own_bucket(self) -> tuple[str, SourceProps]:
        kept = self._kept
        if kept.bucket is None:
            raise LookupError("the stack datasync_buckets has no bucket for images, and the workspace names none")
        arn = kept.bucket.arn
        return kept.bucket.name, SourceProps(bucket_arn=arn, prefix=self._settings.prefix or "", key_arn=kept.key_arn)

    def _task(self) -> DataSyncTask:
        settings, vpc = self._settings, self._network.vpc
        return DataSyncTask(
            self,
            "task",
            DataSyncTaskProps(
                name=self._name,
                account=self.account,
                source=self._source,
                report=ReportProps(bucket_arn=self._kept.reports.arn, key_arn=self._kept.key_arn),
                file_system=self._data.file_system,
                # The server mounts the file system's /OMERO as its own: the path is the same on both sides.
                folder=settings.folder,
                vpc_id=vpc.id,
                subnet_id=vpc.private_subnet_ids[0],
                schedule=settings.schedule,
                replace=settings.replace_changed_files,
                log_level=settings.log_level,
                log_group_name=self._log_group_name,
                logs=self._logs,
            ),
        )

    def _topic(self) -> AlarmTopic:
        return AlarmTopic(
            self,
            "alarms",
            AlarmTopicProps(
                name=names.physical("topic", self.workspace.name, "datasync"),
                account=self.account,
                key_arn=self._key.arn,
                emails=self._settings.alarm_emails,
            ),
        )

    def _alarm_on_failure(self) -> None:
        """DataSync has no metric of failed executions; it says so to EventBridge, which names the execution."""
        rule = CloudwatchEventRule(
            self,
            "failed",
            name=names.physical("rule", self.workspace.name, "datasync-failed"),
            description="Executions of the DataSync task that ended in ERROR",
            event_pattern=json.dumps(
                {
                    "source": ["aws.datasync"],
                    "detail-type": ["DataSync Task Execution State Change"],
                    "resources": [{"prefix": f"{self.task.arn}/execution/"}],
                    "detail": {"State": ["ERROR"]},
                }
            ),
        )
        CloudwatchEventTarget(self, "failed_target", rule=rule.name, target_id="topic", arn=self.topic.arn)

    def _start_on_arrival(self) -> None:
        workspace = self.workspace
        arrivals = Arrivals(
            self,
            "arrivals",
            ArrivalsProps(
                name=names.physical("rule", workspace.name, "datasync-arrivals"),
                bucket_name=self.bucket_name,
                key_prefix=self._settings.key_prefix,
                visibility_seconds=2 * STARTER_SECONDS,
            ),
        )
        starter = self._starter(arrivals)
        self.topic.alarm(
            "dead_letters",
            name=names.physical("alarm", workspace.name, "datasync-dead-letters"),
            description="Objects arrived that DataSync could not be started for: read the messages, then purge them.",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": arrivals.dead_letters_name},
            statistic="Maximum",
        )
        self.topic.alarm(
            "starter_errors",
            name=names.physical("alarm", workspace.name, "datasync-starter"),
            description="What starts DataSync for arrived objects has failed for 15 minutes: its log says why.",
            namespace="AWS/Lambda",
            metric="Errors",
            dimensions={"FunctionName": starter.name},
            statistic="Sum",
            periods=3,
        )
        self.publish(Outputs.arrivals_queue_url, arrivals.queue_url)
        self.publish(Outputs.starter_function_name, starter.name)
        self.publish(Outputs.dead_letters_url, arrivals.dead_letters_url)

    def _starter(self, arrivals: Arrivals) -> Function:
        starter = Function(
            self,
            "starter",
            FunctionProps(
                name=names.physical("function", self.workspace.name, "datasync-starter"),
                description="Starts the DataSync task for the objects that have arrived",
                code="datasync_starter",
                timeout_seconds=STARTER_SECONDS,
                environment={
                    "TASK_ARN": self.task.arn,
                    "QUEUE_URL": arrivals.queue_url,
                    "BUCKET": self.bucket_name,
                    "KEY_PREFIX": self._settings.key_prefix,
                },
                statements=(
                    Statement(
                        sid="StartTheTask",
                        actions=("datasync:DescribeTask", "datasync:StartTaskExecution"),
                        resources=(self.task.arn,),
                    ),
                    Statement(
                        sid="TakeFromTheQueue",
                        actions=("sqs:ReceiveMessage", "sqs:DeleteMessage"),
                        resources=(arrivals.queue_arn,),
                    ),
                ),
                log_group_name=f"{self._log_group_name}-starter",
                logs=self._logs,
            ),
        )
        call_at_a_rate(starter, "rate(1 minute)")
        return starter

    def _publish(self) -> None:
        settings = self._settings
        self.publish(Outputs.task_arn, self.task.arn)
        self.publish(Outputs.bucket_name, self.bucket_name)
        self.publish(Outputs.bucket_folder, f"/{settings.key_prefix}")
        self.publish(Outputs.folder, settings.folder)
        self.publish(Outputs.report_bucket_name, self._kept.reports.name)
        self.publish(Outputs.alarm_topic_arn, self.topic.arn)
