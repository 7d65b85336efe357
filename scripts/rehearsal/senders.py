"""Senders of a rehearsal: who deliver by OpenSSH's `sftp`, put objects that DataSync copies, and write to the share.

What they deliver are filesets of formats of several files each (scripts/rehearsal/deliveries.py), each in a folder of
its own, and all of one delivery in a folder of a name that the caller gives.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import asyncssh

from contract import mounts
from contract import operators as documented
from contract.sections.datasync import DataSyncOutputs
from local_aws.testing.faults import add_faults
from scripts.errors import Failed
from scripts.rehearsal import operators, sftp
from scripts.rehearsal.deliveries import SEVERAL
from scripts.rehearsal.run import Delivery, Rehearsal
from scripts.rehearsal.wait import until
from settings.load import ROOT

COUNT = "ApproximateNumberOfMessages"
SENDERS = ("rehearsal", "scanner-1", "scanner-2")


def everywhere(run: Rehearsal, named: str, count: int, *, go_wrong: bool = False) -> Iterator[Delivery]:
    """Deliver filesets by each way in that the workspace has: one of each format on the share, `count` by the others.

    With `go_wrong` a connection of `sftp` is cut, and its sender begins again; and an execution of DataSync fails.

    Raises:
        Failed: something was not delivered.
    """
    workspace = run.workspace
    yield from _on_the_share(run, named)
    if workspace.sftp and shutil.which("sftp"):
        with operators.acting(run, "sftp", documented.sftp) as environ:
            _add_senders(run, environ)
        yield from _by_sftp(run, workspace.sftp.folder, named, count, cut=go_wrong)
    if workspace.datasync:
        yield _through_datasync(run, workspace.datasync.folder, named, count, fails=go_wrong)


def _make(folder: Path, numbers: Iterable[int]) -> list[str]:
    """Filesets in folders of their own, each format in its turn; the folders' names."""
    formats = list(SEVERAL)
    made = []
    for number in numbers:
        name = f"{formats[number % len(formats)]} {number}"
        SEVERAL[formats[number % len(formats)]](folder / name)
        made.append(name)
    return made


def _on_the_share(run: Rehearsal, named: str) -> Iterator[Delivery]:
    share = mounts.share_path(run.workspace)
    if share is None:
        return
    (folder,) = (run.files / "shares").iterdir()
    made = _make(folder / named, range(len(SEVERAL)))
    owner = run.workspace.omero.importer.admin
    yield Delivery("the share", tuple(f"{share}/{named}/{each}" for each in made), owner, named, time.time())


def _key(run: Rehearsal, sender: str) -> Path:
    return run.folder / ("sender" if sender == sftp.SENDER else f"{sender}.key")


def _add_senders(run: Rehearsal, environ: dict[str, str]) -> None:
    """Those that are not there yet."""
    for sender in SENDERS:
        key = _key(run, sender)
        if not key.exists():
            made = asyncssh.generate_private_key("ssh-ed25519")
            made.write_private_key(key)
            made.write_public_key(key.with_suffix(".pub"))
            sftp.sftp(environ, run.folder, "user", "add", sender, "--key", str(key.with_suffix(".pub")))
        key.chmod(0o600)


def _by_sftp(run: Rehearsal, place: str, named: str, count: int, *, cut: bool) -> Iterator[Delivery]:
    """`place` is the folder that has the senders', as OMERO sees it."""
    for number, sender in enumerate(SENDERS):
        work = run.folder / f"from {sender}"
        folders = _make(work / named, range(number, count, len(SENDERS)))
        at = f"{place}/{sender}/{named}"
        if cut and number == 0:
            landed = run.omero / at.removeprefix("/OMERO/")
            _send(run, sender, work / named, cut_when=lambda: _count(landed) >= len(folders) // 2)  # noqa: B023
        _send(run, sender, work / named)
        yield Delivery("SFTP", tuple(f"{at}/{each}" for each in folders), sender, sender, time.time())


def _send(run: Rehearsal, sender: str, folder: Path, *, cut_when: Callable[[], bool] | None = None) -> None:
    """Deliver a folder by OpenSSH's `sftp`; or be killed in the middle of it."""
    found = sftp.server(run.environ)
    known, batch, log = (run.folder / name for name in ("known_hosts", "batch", "sftp-client.log"))
    known.write_text("".join(f"[{found['host']}]:{found['port']} {each}\n" for each in found["host_keys"]))
    batch.write_text(f'put -r "{folder.name}"\n')
    options = ("StrictHostKeyChecking=yes", "BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={known}")
    command = ["sftp", "-F", "none", "-q", "-b", str(batch), "-P", str(found["port"]), "-i", str(_key(run, sender))]
    command += [word for option in options for word in ("-o", option)]
    with log.open("a", encoding="utf-8") as said:
        client = subprocess.Popen([*command, f"{sender}@{found['host']}"], stdout=said, stderr=said, cwd=folder.parent)
        while cut_when and client.poll() is None:
            if cut_when():
                client.kill()
            time.sleep(0.01)
        if client.wait() and not cut_when:
            raise Failed(f"{sender} could not deliver by sftp; see {log.relative_to(ROOT)}.")


def _count(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def _through_datasync(run: Rehearsal, place: str, named: str, count: int, *, fails: bool) -> Delivery:
    outputs, session = run.outputs[DataSyncOutputs.stack], run.session()
    work = run.folder / "objects" / named
    made = _make(work, range(count))
    if fails:
        add_faults(run.environ["AWS_ENDPOINT_URL"], "datasync", {"execution": ["error:TRANSFERRING"]})
    s3, prefix = session.client("s3"), outputs[DataSyncOutputs.bucket_folder.key].lstrip("/")
    for each in sorted(path for path in work.rglob("*") if path.is_file()):
        key = f"{prefix}{each.relative_to(work.parent)}"
        s3.put_object(Bucket=outputs[DataSyncOutputs.bucket_name.key], Key=key, Body=each.read_bytes())
    _let_datasync_copy(session, outputs)
    if fails:
        # What its schedule does.
        datasync = session.client("datasync")
        datasync.start_task_execution(TaskArn=outputs[DataSyncOutputs.task_arn.key])
        until(lambda: _is_idle(datasync, outputs), "DataSync's last execution did not end")
    owner = run.workspace.omero.importer.admin
    return Delivery("DataSync", tuple(f"{place}/{named}/{each}" for each in made), owner, named, time.time())


def _let_datasync_copy(session: Any, outputs: dict[str, Any]) -> None:
    """Call the function that starts DataSync, as EventBridge would every minute, until its queue is empty."""
    function, datasync, sqs = (session.client(each) for each in ("lambda", "datasync", "sqs"))
    # What the function has received, and not been answered, comes back after a while.
    queue, counts = outputs[DataSyncOutputs.arrivals_queue_url.key], [f"{COUNT}{each}" for each in ("", "NotVisible")]

    def is_done() -> bool:
        function.invoke(FunctionName=outputs[DataSyncOutputs.starter_function_name.key])
        found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=counts)["Attributes"]
        return not any(int(found[each]) for each in counts) and _is_idle(datasync, outputs)

    until(is_done, "objects still wait for DataSync")


def _is_idle(datasync: Any, outputs: dict[str, Any]) -> bool:
    return bool(datasync.describe_task(TaskArn=outputs[DataSyncOutputs.task_arn.key])["Status"] == "AVAILABLE")
