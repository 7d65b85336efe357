"""Whether what arrives becomes images by itself: delivered by each way in (scripts/rehearsal/senders.py), found by the
worker beside the server, and nobody types anything.

With many of them things go wrong: a connection is cut and the sender begins again; an execution of DataSync fails, and
its schedule brings the rest; DynamoDB throttles and loses answers, and hints are lost; importers die; the server's task
is replaced; and one fileset of each way in cannot be imported until that is mended, and takes one `arrivals replay`.
Then more arrive, and nothing tells the worker of them.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from containers.importer.arrivals import HINT_SECONDS, LATER_SECONDS
from containers.importer.entries import INCOMPLETE, WHO
from contract import names
from contract import operators as documented
from contract.outputs import Omero
from local_aws.testing.faults import add_faults
from scripts.errors import Failed
from scripts.process import read
from scripts.rehearsal import imports, operators, rights, senders
from scripts.rehearsal.deliveries import FEW, SEVERAL
from scripts.rehearsal.run import Delivery, Rehearsal
from scripts.rehearsal.stand_ins.omero.paths import client_path
from scripts.rehearsal.stand_ins.omero.state import Image, Server
from scripts.rehearsal.wait import until
from settings.load import ROOT

ARRIVALS = (sys.executable, "-m", "scripts.main", "arrivals")
QUEUE = "rehearsal-reports"
# Part of the path of each fileset that cannot be imported at first: of the first in each folder.
POISON = f"/{next(iter(SEVERAL))} 0"
# A name that goes wrong wherever one is quoted, encoded or taken for a command.
SET = "set (40 µm), 'März' & $HOME 100%"
UNHINTED = "set of which nothing tells"


def deliver(run: Rehearsal) -> None:
    """Have filesets arrive by SFTP and as many through DataSync, and one of each format on the share.

    Raises:
        Failed: something was not delivered.
    """
    server, many = Server(run.omero), run.deliveries > FEW
    _subscribe(run)
    for sender in senders.SENDERS:
        server.add_user(sender, password=secrets.token_urlsafe())
    if many:
        server.fault("fail", POISON, message="out of reagents")
        server.fault("kill", "ICS 4", times=1)
        server.fault("crash", "NRRD 5", times=1)
        answers = ["lost", "ProvisionedThroughputExceededException"] * 10
        add_faults(run.environ["AWS_ENDPOINT_URL"], "dynamodb", {"PutItem": answers, "UpdateItem": answers})
        add_faults(run.environ["AWS_ENDPOINT_URL"], "sqs", {"ReceiveMessage": ["lost"] * 5})
    run.delivered += senders.everywhere(run, SET, run.deliveries, go_wrong=many)
    if many:
        _replace_the_server(run)


def _replace_the_server(run: Rehearsal) -> None:
    """Stop the server's task while it imports; its service starts another one."""
    server = Server(run.omero)
    until(lambda: bool(server.images()), "nothing was imported")
    ecs, cluster = run.session().client("ecs"), names.cluster(run.workspace.name)
    service = names.physical("service", run.workspace.name, "server")
    (task,) = ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"]
    ecs.stop_task(cluster=cluster, task=task, reason="a rehearsal")


def check(run: Rehearsal) -> None:
    """Wait until all that was delivered is in OMERO, each fileset once, and tell how long it took.

    Raises:
        Failed: something is missing, twice, somebody else's or elsewhere, or `arrivals status` says that a person has
            to do something.
    """
    server, at = Server(run.omero), Places(run.delivered)
    poison = {each for each in at.folders if run.deliveries > FEW and each.endswith(POISON)}
    at.wait_for(at.folders - poison, server)
    with operators.acting(run, "arrivals", documented.deployment, documented.imports) as environ:
        if poison:
            until(lambda: _is_settled(run, environ), "something still waits to be imported")
            if _code(run, environ, "status") != 1:
                raise Failed("`arrivals status` does not tell of what cannot be imported.")
            server.clear_faults()
            for row in json.loads(imports.imports(environ, run.folder, "report")):
                # Of an import that the server's end cut: its images may lack pixels, and a person deletes them.
                if row["state"] == INCOMPLETE:
                    server.delete_fileset(row["fileset"])
            _arrivals(run, environ, "replay")
            at.wait_for(at.folders, server)
        until(lambda: _is_settled(run, environ), "something still waits to be imported")
        if _code(run, environ, "status"):
            raise Failed(
                f"`arrivals status` says that a person has to do something; see {_log(run).relative_to(ROOT)}."
            )
        _arrivals(run, environ, "pause")
        _arrivals(run, environ, "resume")
        unhinted = list(_deliver_without_hints(run)) if run.deliveries > FEW else []
        until(lambda: _is_settled(run, environ), "something still waits to be imported")
        rows = json.loads(imports.imports(environ, run.folder, "report"))
    at = Places([*run.delivered, *unhinted])
    faults = [*at.faults(server), *(f"{row['path']} is {row['state']}" for row in _unfinished(rows))]
    if faults:
        raise Failed(f"of what arrived, {'; '.join(faults[:5])}{' and more' if len(faults) > 5 else ''}.")
    run.proved += _times(run.delivered, rows)
    run.proved += [f"Without a hint: {each}" for each in _times(unhinted, rows)]
    run.proved.append(_add_up(run, sum(row["who"] == WHO for row in rows), len(poison)))
    used = [right["statement"] for told in rights.take(run.environ).values() for right in told["used"]]
    if "TakeHints" not in used:
        raise Failed("the importer took no hint out of its queue.")
    run.proved.append("The importer was told of what arrived, by EventBridge and its queue.")


def _deliver_without_hints(run: Rehearsal) -> Iterator[Delivery]:
    """One of each format by each way in while EventBridge sends the importer nothing; they are in OMERO afterwards."""
    with _no_hints(run):
        # Until no look is due that an earlier hint asked for.
        time.sleep(HINT_SECONDS + LATER_SECONDS)
        delivered = list(senders.everywhere(run, UNHINTED, FEW))
        at = Places(delivered)
        at.wait_for(at.folders, Server(run.omero))
    yield from delivered


@contextmanager
def _no_hints(run: Rehearsal) -> Iterator[None]:
    events, rule = run.session().client("events"), names.physical("rule", run.workspace.name, "arrivals")
    targets = events.list_targets_by_rule(Rule=rule)["Targets"]
    if not targets:
        raise Failed(f"the rule {rule} sends the importer no hints, so that it proves nothing to take them away.")
    events.remove_targets(Rule=rule, Ids=[each["Id"] for each in targets])
    try:
        yield
    finally:
        events.put_targets(Rule=rule, Targets=targets)


def _subscribe(run: Rehearsal) -> None:
    """Have a queue hear the messages of what has become of arrivals, as an address of e-mail would."""
    sqs, sns = run.session().client("sqs"), run.session().client("sns")
    queue = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = run.outputs[Omero.stack][Omero.reports_topic_arn.key]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})


def _add_up(run: Rehearsal, imported: int, failed: int) -> str:
    """Read the messages; many deliveries take several, a quarter of an hour apart, and tell of each in the end.

    Raises:
        Failed: they tell of more or less than the ledger has.
    """
    sqs, sns = run.session().client("sqs"), run.session().client("sns")
    queue, told = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], list[str]()

    def counted(what: str) -> int:
        return sum(int(found[1]) for text in told if (found := re.search(rf"^{what}: (\d+)$", text, re.MULTILINE)))

    def is_told() -> bool:
        for each in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            told.append(each["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        return bool(told) if run.deliveries <= FEW else counted("imported") >= imported

    until(is_told, lambda: f"messages tell of {counted('imported')} of {imported} filesets")
    (run.folder / "messages.log").write_text("\n".join(told), encoding="utf-8")
    for each in sns.list_subscriptions()["Subscriptions"]:
        if each["Endpoint"].endswith(f":{QUEUE}"):
            sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=queue)
    # What was mended before a message told of it is told as imported alone.
    if counted("imported") > imported or counted("failed") > failed:
        raise Failed(
            f"messages tell of {counted('imported')} imported and {counted('failed')} failed filesets instead of "
            f"{imported} and {failed}."
        )
    count = "One message" if len(told) == 1 else f"{len(told)} messages"
    return f"{count} told what became of {counted('imported')} filesets."


class Places:
    """Which fileset an image of OMERO is of, by the folder that was delivered."""

    def __init__(self, delivered: Iterable[Delivery]) -> None:
        self._of = {client_path(folder): (folder, each) for each in delivered for folder in each.folders}
        self.folders = {folder for folder, _ in self._of.values()}

    def _found(self, image: Image) -> tuple[str, Delivery] | None:
        above = (str(each) for each in Path(image.client_path).parents)
        return next((self._of[each] for each in above if each in self._of), None)

    def filesets(self, server: Server) -> dict[str, set[int]]:
        """The filesets that have images, by folder."""
        made: dict[str, set[int]] = {}
        for image in server.images():
            if found := self._found(image):
                made.setdefault(found[0], set()).add(image.fileset)
        return made

    def wait_for(self, folders: set[str], server: Server) -> None:
        """Wait until these are in OMERO. Raises Failed."""
        until(
            lambda: not folders - self.filesets(server).keys(), lambda: _missing(folders - self.filesets(server).keys())
        )

    def faults(self, server: Server) -> Iterator[str]:
        """What is not there once, or not whose or where it should be."""
        for folder, ids in self.filesets(server).items():
            if len(ids) > 1:
                yield f"{folder} was imported {len(ids)} times"
        for image in server.images():
            if (found := self._found(image)) and (image.owner, image.dataset) != (found[1].owner, found[1].dataset):
                yield f"{image.client_path} is {image.owner}'s in {image.dataset}"


def _missing(folders: set[str]) -> str:
    return f"{len(folders)} filesets are not in OMERO, {min(folders, default='')} for one,"


def _unfinished(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if f"/{SET}/" in row["path"] and row["state"] != "imported"]


def _times(delivered: Sequence[Delivery], rows: list[dict[str, Any]]) -> Iterator[str]:
    """How long it took from the last byte to the last image, by each way in."""
    for way in dict.fromkeys(each.way for each in delivered):
        ours = [each for each in delivered if each.way == way]
        seconds = []
        for each in ours:
            below = f"{Path(each.folders[0]).parent}/"
            ends = [_seconds(row["imported_at"]) for row in rows if row["path"].startswith(below)]
            seconds.append(max(ends) - each.at)
        count = sum(len(each.folders) for each in ours)
        yield (
            f"{count} filesets of several files arrived by {way}, and each is in OMERO once, nobody typing: "
            f"{max(seconds):.0f} s from the last byte to the last image."
        )


def _seconds(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def _arrivals(run: Rehearsal, environ: Mapping[str, str], *words: str) -> None:
    if _code(run, environ, *words):
        raise Failed(f"`arrivals {words[0]}` failed; see {_log(run).relative_to(ROOT)}.")


def _is_settled(run: Rehearsal, environ: Mapping[str, str]) -> bool:
    _, text = read([*ARRIVALS, "status", "--json"], environ=environ, folder=ROOT)
    folders = json.loads(text[text.index("{") : text.rindex("}") + 1])["folders"]
    return not any(each["waits"] or each["arriving"] for each in folders)


def _code(run: Rehearsal, environ: Mapping[str, str], *words: str) -> int:
    code, text = read([*ARRIVALS, *words], environ=environ, folder=ROOT)
    with _log(run).open("a", encoding="utf-8") as log:
        log.write(f"{' '.join(words)}\n{text}")
    return code


def _log(run: Rehearsal) -> Path:
    return run.folder / "arrivals.log"
