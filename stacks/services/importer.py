"""The importer in the server's task: its program, its log, its rights, and an alarm for when it says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from constructs import Construct

from contract import arrivals, mounts, names
from contract.outputs import Omero
from contract.policy import Statement
from modules.alarm_topic import AlarmTopic, AlarmTopicProps
from modules.arrivals import dead_letters_name
from modules.cache_refresh import failures_name
from modules.container import Beside
from modules.dashboard import ArrivalGraphs
from modules.hints import (
    Hints,
    HintsProps,
    ended_executions,
    refreshed_shares,
    uploads_by_gateway,
    uploads_by_sftp,
)
from modules.log_figures import LogFigures, LogFiguresProps
from modules.log_group import log_group
from modules.omero import ImporterProps, ServerProps, importer_container
from modules.program import Program, ProgramProps
from modules.report_topic import ReportTopic, ReportTopicProps
from settings.memory import importer_heap_mib
from stacks.services.context import ServiceContext

ALIVE = "importer alive"
"""What the importer writes to its log each minute."""
TROUBLE = "arrivals need a person"
"""What it writes of something that arrived in a watched folder and was not imported."""
ARRIVALS, FIGURES = "arrivals", ("oldest_seconds", "waiting", "arriving", "failed", "imported")
"""How it calls what it says of arrivals each minute: containers/importer/figures.py."""
REFUSED = "importer refused"
"""What it writes of a file that has made OMERO read another sender's, or OMERO's own."""


class Importer(Construct):
    """`statements` are what it may do. Its container is `beside` a server, whose task's role has these rights.

    `figures` are those of arrivals, None without.
    """

    def __init__(self, context: ServiceContext, *, key_arn: str, share_arn: str | None) -> None:
        """`key_arn` is the key of its program, its alarms and its messages; `share_arn` is our own gateway's share."""
        super().__init__(context.stack, "importer")
        self._context = context
        workspace, stack = context.workspace, context.stack
        self._password_arn = workspace.omero.importer.password_arn or context.data.root_password.arn
        self._log = log_group(
            self,
            "log_group",
            name=names.physical("log_group", workspace.name, "importer"),
            logs=context.network.log_settings(workspace.omero.log_retention_days),
        )
        self._program = Program(
            self,
            "program",
            ProgramProps(
                name="importer",
                bucket_name=names.bucket(workspace.name, "importer", workspace.account_id, workspace.region),
                key_arn=key_arn,
            ),
        )
        self._parameter = stack.publish(Omero.importer_digest, self._program.digest)
        # In a parameter, for a change of it should not replace the server.
        self._hints = self._hints_of_arrivals(share_arn)
        self._reports = self._reports_of_arrivals(key_arn)
        parameter = arrivals.parameter(
            workspace,
            hints_url=self._hints.queue_url if self._hints else "",
            reports_topic=self._reports.arn if self._reports else "",
            web_url=context.frontend.web_url,
        )
        self._arrivals = stack.publish(Omero.arrivals, parameter)
        stack.publish(Omero.importer_log_group_name, self._log.name)
        stack.publish(Omero.importer_parallel_filesets, str(workspace.omero.importer.parallel_filesets))
        self.figures = self._figures_of_arrivals() if workspace.arrivals else None
        self._alarm(key_arn)

    @property
    def statements(self) -> Sequence[Statement]:
        """It fetches its program and a password, and writes both tables."""
        data, account = self._context.data, self._context.stack.account
        return (
            Statement(sid="FindProgram", actions=("ssm:GetParameter",), resources=(self._parameter.arn,)),
            Statement(sid="ReadArrivals", actions=("ssm:GetParameter",), resources=(self._arrivals.arn,)),
            *([self._hints.use] if self._hints else ()),
            *(self._reports.use if self._reports else ()),
            # The program's key is that of ECS Exec's sessions, which the role may use already.
            self._program.use,
            data.ledger.use,
            data.requests.use,
            Statement(sid="ReadPassword", actions=("secretsmanager:GetSecretValue",), resources=(self._password_arn,)),
            # DynamoDB asks with the caller's rights (its developer guide, "Encryption at rest: usage notes").
            *(
                Statement(
                    sid=f"Decrypt{what}",
                    actions=("kms:Decrypt",),
                    resources=(data.key_arn,),
                    conditions=account.kms_via(service),
                )
                for what, service in (("Tables", "dynamodb"), ("Password", "secretsmanager"))
            ),
        )

    def beside(self, server: ServerProps) -> Beside:
        """Its container in the task of this server."""
        workspace, data = self._context.workspace, self._context.data
        settings = workspace.omero.importer
        container = importer_container(
            server,
            ImporterProps(
                region=workspace.region,
                memory_mib=settings.memory_mib,
                heap_mib=importer_heap_mib(settings.memory_mib),
                parallel_filesets=settings.parallel_filesets,
                program_bucket=self._program.bucket_name,
                program_parameter=self._parameter.name,
                arrivals_parameter=self._arrivals.name,
                ledger_table=data.ledger.name,
                requests_table=data.requests.name,
                admin=settings.admin,
                password_arn=self._password_arn,
            ),
        )
        return Beside(container=container, log_group_name=self._log.name, log_group_arn=self._log.arn)

    def graphs(self) -> ArrivalGraphs | None:
        """Arrivals for the dashboard. Queues of sections that come later are known by their names."""
        if self.figures is None:
            return None
        workspace = self._context.workspace
        queues, dead_letters = {}, {}
        if self._hints:
            queues["hints"] = self._hints.queue_name
        if workspace.datasync and workspace.datasync.start_on_arrival:
            queues["DataSync"] = names.physical("rule", workspace.name, "datasync-arrivals")
            dead_letters["DataSync"] = dead_letters_name(queues["DataSync"])
        if workspace.file_gateway:
            dead_letters["File Gateway"] = failures_name(names.physical("role", workspace.name, "cache-refresh"))
        return ArrivalGraphs(figures=self.figures, queues=queues, dead_letters=dead_letters)

    def _hints_of_arrivals(self, share_arn: str | None) -> Hints | None:
        """Events of the ways in whose folders are watched; None if none of them sends any."""
        workspace = self._context.workspace
        patterns: list[dict[str, Any]] = []
        if workspace.arrivals and workspace.sftp:
            patterns += uploads_by_sftp(self._context.data.file_system.id)
        if workspace.arrivals and workspace.datasync:
            patterns.append(ended_executions())
        if workspace.arrivals and mounts.share_path(workspace):
            patterns.append(refreshed_shares(share_arn))
            if workspace.share:
                patterns.append(uploads_by_gateway(workspace.share.bucket))
        if not patterns:
            return None
        return Hints(
            self, "hints", HintsProps(name=names.physical("rule", workspace.name, "arrivals"), patterns=patterns)
        )

    def _reports_of_arrivals(self, key_arn: str) -> ReportTopic | None:
        """Apart from the alarms: it names files, which may name people."""
        context, settings = self._context, self._context.workspace.arrivals
        if settings is None:
            return None
        name = names.physical("topic", context.workspace.name, "arrivals")
        topic = ReportTopic(
            self,
            "reports",
            ReportTopicProps(name=name, account=context.stack.account, key_arn=key_arn, emails=settings.report_emails),
        )
        context.stack.publish(Omero.reports_topic_arn, topic.arn)
        return topic

    def _figures_of_arrivals(self) -> LogFigures:
        name = self._context.workspace.name
        return LogFigures(
            self,
            "figures",
            LogFiguresProps(
                name=names.physical("alarm", name, "arrivals"),
                namespace=names.base(name),
                log_group_name=self._log.name,
                what=ARRIVALS,
                fields=FIGURES,
            ),
        )

    def _alarm(self, key_arn: str) -> None:
        context, workspace = self._context, self._context.workspace
        topic = AlarmTopic(
            self,
            "alarms",
            AlarmTopicProps(
                name=names.physical("topic", workspace.name, "importer"),
                account=context.stack.account,
                key_arn=key_arn,
                emails=workspace.omero.importer.alarm_emails,
            ),
        )
        topic.silence_alarm(
            "silent",
            name=names.physical("alarm", workspace.name, "importer-silent"),
            description="Nothing has been imported for 5 minutes, because the importer beside OMERO.server says "
            "nothing: `omero-aws imports status` tells why.",
            namespace=names.base(workspace.name),
            log_group_name=self._log.name,
            line=ALIVE,
        )
        topic.line_alarm(
            "refused",
            name=names.physical("alarm", workspace.name, "importer-refused"),
            description="A file that somebody sent has made OMERO read another one outside of its folder: `omero-aws "
            "imports report` names it, and says whether its images could be hidden.",
            namespace=names.base(workspace.name),
            log_group_name=self._log.name,
            line=REFUSED,
        )
        if workspace.arrivals and self.figures:
            minutes = workspace.arrivals.alarm_minutes
            topic.limit_alarm(
                "oldest_arrival",
                name=names.physical("alarm", workspace.name, "arrivals-wait"),
                description=f"Something that arrived has waited for more than {minutes} minutes to be imported, or the "
                "importer does not look: `omero-aws arrivals status` shows what waits and why.",
                namespace=self.figures.namespace,
                metric=self.figures.metric("oldest_seconds"),
                limit=minutes * 60,
            )
            topic.line_alarm(
                "arrivals",
                name=names.physical("alarm", workspace.name, "arrivals"),
                description="Something that arrived was not imported: `omero-aws arrivals status` names it and says "
                "why.",
                namespace=names.base(workspace.name),
                log_group_name=self._log.name,
                line=TROUBLE,
            )
        context.stack.publish(Omero.alarm_topic_arn, topic.arn)
