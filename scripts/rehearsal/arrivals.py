"""Whether what arrives becomes images by itself: delivered by each way in, and nobody types anything.

Senders deliver by OpenSSH's `sftp`, objects come through DataSync, and files appear on the share, in formats of several
files each (scripts/rehearsal/deliveries.py). The worker beside the server finds them.

With many of them things go wrong: a connection is cut and the sender begins again; an execution of DataSync fails, and
its schedule brings the rest; DynamoDB throttles and loses answers, and hints are lost; importers die; the server's task
is replaced; and one fileset of each way in cannot be imported until that is mended, and takes one `arrivals replay`.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncssh

from containers.importer.entries import INCOMPLETE, WHO
from contract import mounts, names
from contract import operators as documented
from contract.outputs import Omero
from contract.sections.datasync import DataSyncOutputs
from local_aws.testing.faults import add_faults
from scripts.errors import Failed
from scripts.process import read
from scripts.rehearsal import imports, operators, rights, sftp
from scripts.rehearsal.deliveries import SEVERAL
from scripts.rehearsal.stand_ins.omero.paths import client_path
from scripts.rehearsal.stand_ins.omero.state import Image, Server
from settings.load import ROOT

if TYPE_CHECKING:
    from scripts.rehearsal.rehearse import Rehearsal

# Of each way in, unless it is asked for more: one of each format.
FEW = len(SEVERAL)
SENDERS = ("rehearsal", "scanner-1", "scanner-2")
# For whatever comes next.
WAIT_SECONDS, POLL_SECONDS = 1800.0, 1.0
ARRIVALS = (sys.executable, "-m", "scripts.main", "arrivals")
QUEUE = "rehearsal-reports"
# Part of the path of each fileset that cannot be imported at first: of the first in each folder.
POISON = f"/{next(iter(SEVERAL))} 0"
# A name that goes wrong wherever one is quoted, encoded or taken for a command.
SET = "set (40 µm), 'März' & $HOME 100%"


@dataclass(frozen=True)
class Delivery:
    """What has come by a way in: the folders of its filesets as OMERO sees them, whose they are and where they belong,
    and when the last byte was there (seconds since 1970)."""

    way: str
    folders: tuple[str, ...]
    owner: str
    dataset: str
    at: float


def deliver(run: Rehearsal) -> None:
    """Have filesets arrive by SFTP and as many through DataSync, and one of each format on the share.

    Raises:
        Failed: something was not delivered.
    """
    server, workspace, count = Server(run.omero), run.workspace, run.deliveries
    many = count > FEW
    _subscribe(run)
    for sender in SENDERS:
        server.add_user(sender, password=secrets.token_urlsafe())
    if many:
        server.fault("fail", POISON, message="out of reagents")
        server.fault("kill", "ICS 4", times=1)
        server.fault("crash", "NRRD 5", times=1)
        answers = ["lost", "ProvisionedThroughputExceededException"] * 10
        add_faults(run.environ["AWS_ENDPOINT_URL"], "dynamodb", {"PutItem": answers, "UpdateItem": answers})
        add_faults(run.environ["AWS_ENDPOINT_URL"], "sqs", {"ReceiveMessage": ["lost"] * 5})
    run.delivered += _on_the_share(run)
    if workspace.sftp and shutil.which("sftp"):
        with operators.acting(run, "sftp", documented.sftp) as environ:
            run.delivered += _by_sftp(run, environ, workspace.sftp.folder, count, cut=many)
    if workspace.datasync:
        run.delivered.append(_through_datasync(run, workspace.datasync.folder, count, fails=many))
    if many:
        _replace_the_server(run)


def _make(folder: Path, numbers: Iterable[int]) -> list[str]:
    """Filesets in folders of their own, each format in its turn; the folders' names."""
    formats = list(SEVERAL)
    made = []
    for number in numbers:
        name = f"{formats[number % len(formats)]} {number}"
        SEVERAL[formats[number % len(formats)]](folder / name)
        made.append(name)
    return made


def _on_the_share(run: Rehearsal) -> Iterator[Delivery]:
    share = mounts.share_path(run.workspace)
    if share is None:
        return
    (folder,) = (run.files / "shares").iterdir()
    made = _make(folder / SET, range(FEW))
    owner = run.workspace.omero.importer.admin
    yield Delivery("the share", tuple(f"{share}/{SET}/{each}" for each in made), owner, SET, time.time())


def _by_sftp(run: Rehearsal, environ: dict[str, str], place: str, count: int, *, cut: bool) -> Iterator[Delivery]:
    """`place` is the folder that has the senders', as OMERO sees it."""
    for number, sender in enumerate(SENDERS):
        key = run.folder / f"{sender}.key"
        if sender == sftp.SENDER:
            key = run.folder / "sender"
        else:
            made = asyncssh.generate_private_key("ssh-ed25519")
            made.write_private_key(key)
            made.write_public_key(key.with_suffix(".pub"))
            sftp.sftp(environ, run.folder, "user", "add", sender, "--key", str(key.with_suffix(".pub")))
        key.chmod(0o600)
        work = run.folder / f"from {sender}"
        folders = _make(work / SET, range(number, count, len(SENDERS)))
        at = f"{place}/{sender}/{SET}"
        if cut and number == 0:
            landed = run.omero / at.removeprefix("/OMERO/")
            _send(run, sender, key, work, cut_when=lambda: _count(landed) >= len(folders) // 2)  # noqa: B023
        _send(run, sender, key, work)
        yield Delivery("SFTP", tuple(f"{at}/{each}" for each in folders), sender, sender, time.time())


def _send(run: Rehearsal, sender: str, key: Path, work: Path, *, cut_when: Callable[[], bool] | None = None) -> None:
    """Deliver all of a folder by OpenSSH's `sftp`; or be killed in the middle of it."""
    found = sftp.server(run.environ)
    known, batch, log = (run.folder / name for name in ("known_hosts", "batch", "sftp-client.log"))
    known.write_text("".join(f"[{found['host']}]:{found['port']} {each}\n" for each in found["host_keys"]))
    batch.write_text(f'put -r "{SET}"\n')
    options = ("StrictHostKeyChecking=yes", "BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={known}")
    command = ["sftp", "-F", "none", "-q", "-b", str(batch), "-P", str(found["port"]), "-i", str(key)]
    command += [word for option in options for word in ("-o", option)]
    with log.open("a", encoding="utf-8") as said:
        client = subprocess.Popen([*command, f"{sender}@{found['host']}"], stdout=said, stderr=said, cwd=work)
        while cut_when and client.poll() is None:
            if cut_when():
                client.kill()
            time.sleep(0.01)
        if client.wait() and not cut_when:
            raise Failed(f"{sender} could not deliver by sftp; see {log.relative_to(ROOT)}.")


def _count(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def _through_datasync(run: Rehearsal, place: str, count: int, *, fails: bool) -> Delivery:
    outputs, session = run.outputs[DataSyncOutputs.stack], run.session()
    work = run.folder / "objects"
    made = _make(work / SET, range(count))
    if fails:
        add_faults(run.environ["AWS_ENDPOINT_URL"], "datasync", {"execution": ["error:TRANSFERRING"]})
    s3, prefix = session.client("s3"), outputs[DataSyncOutputs.bucket_folder.key].lstrip("/")
    for each in sorted(path for path in work.rglob("*") if path.is_file()):
        key = f"{prefix}{each.relative_to(work)}"
        s3.put_object(Bucket=outputs[DataSyncOutputs.bucket_name.key], Key=key, Body=each.read_bytes())
    _let_datasync_copy(session, outputs)
    if fails:
        # What its schedule does.
        datasync = session.client("datasync")
        datasync.start_task_execution(TaskArn=outputs[DataSyncOutputs.task_arn.key])
        _until(lambda: _is_idle(datasync, outputs), "DataSync's last execution did not end")
    owner = run.workspace.omero.importer.admin
    return Delivery("DataSync", tuple(f"{place}/{SET}/{each}" for each in made), owner, SET, time.time())


def _let_datasync_copy(session: Any, outputs: dict[str, Any]) -> None:
    """Call the function that starts DataSync, as EventBridge would every minute, until its queue is empty."""
    function, datasync = session.client("lambda"), session.client("datasync")

    def is_done() -> bool:
        answer = function.invoke(FunctionName=outputs[DataSyncOutputs.starter_function_name.key])
        said = json.loads(answer["Payload"].read())
        # A call that failed is made again a minute later.
        return "FunctionError" not in answer and said.get("because") == "nothing waits" and _is_idle(datasync, outputs)

    _until(is_done, "objects still wait for DataSync")


def _is_idle(datasync: Any, outputs: dict[str, Any]) -> bool:
    return bool(datasync.describe_task(TaskArn=outputs[DataSyncOutputs.task_arn.key])["Status"] == "AVAILABLE")


def _replace_the_server(run: Rehearsal) -> None:
    """Stop the server's task while it imports; its service starts another one."""
    server = Server(run.omero)
    _until(lambda: bool(server.images()), "nothing was imported")
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

    def wait_for(folders: set[str]) -> None:
        _until(lambda: folders <= at.filesets(server).keys(), lambda: _missing(folders - at.filesets(server).keys()))

    wait_for(at.folders - poison)
    with operators.acting(run, "arrivals", documented.deployment, documented.imports) as environ:
        if poison:
            _until(lambda: _is_settled(run, environ), "something still waits to be imported")
            if _code(run, environ, "status") != 1:
                raise Failed("`arrivals status` does not tell of what cannot be imported.")
            server.clear_faults()
            for row in json.loads(imports.imports(environ, run.folder, "report")):
                # Of an import that the server's end cut: its images may lack pixels, and a person deletes them.
                if row["state"] == INCOMPLETE:
                    server.delete_fileset(row["fileset"])
            _arrivals(run, environ, "replay")
            wait_for(at.folders)
        _until(lambda: _is_settled(run, environ), "something still waits to be imported")
        if _code(run, environ, "status"):
            raise Failed(
                f"`arrivals status` says that a person has to do something; see {_log(run).relative_to(ROOT)}."
            )
        _arrivals(run, environ, "pause")
        _arrivals(run, environ, "resume")
        rows = json.loads(imports.imports(environ, run.folder, "report"))
    faults = [*at.faults(server), *(f"{row['path']} is {row['state']}" for row in _unfinished(rows))]
    if faults:
        raise Failed(f"of what arrived, {'; '.join(faults[:5])}{' and more' if len(faults) > 5 else ''}.")
    run.proved += _times(run, rows)
    run.proved.append(_add_up(run, sum(row["who"] == WHO for row in rows), len(poison)))
    used = [right["statement"] for told in rights.take(run.environ).values() for right in told["used"]]
    if "TakeHints" not in used:
        raise Failed("the importer took no hint out of its queue.")
    run.proved.append("The importer was told of what arrived, by EventBridge and its queue.")


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
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        told.extend(each["Body"] for each in messages)
        return bool(told) if run.deliveries <= FEW else counted("imported") >= imported

    _until(is_told, lambda: f"messages tell of {counted('imported')} of {imported} filesets")
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


def _times(run: Rehearsal, rows: list[dict[str, Any]]) -> Iterator[str]:
    """How long it took from the last byte to the last image, by each way in."""
    for way in dict.fromkeys(each.way for each in run.delivered):
        ours = [each for each in run.delivered if each.way == way]
        seconds = []
        for each in ours:
            ends = [_seconds(row["imported_at"]) for row in rows if row["path"].startswith(each.folders[0][:-1])]
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


def _until(is_done: Callable[[], bool], fault: str | Callable[[], str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            raise Failed(f"{fault if isinstance(fault, str) else fault()} after {WAIT_SECONDS:.0f} seconds.")
        time.sleep(POLL_SECONDS)
