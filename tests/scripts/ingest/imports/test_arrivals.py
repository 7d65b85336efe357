"""What arrives in a watched folder is imported without anybody asking: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest
from typer.testing import CliRunner

from containers.importer.entries import FAILED, IMPORTED, PENDING
from local_aws.testing.ecs import until
from local_aws.testing.rights import document, statement
from scripts.ingest.arrivals import command
from tests.scripts.ingest.imports.imports_help import Importing, run_work

BY_SENDER = {"user": "{folder}", "target": "Dataset:name:{folder}"}


def _shows(importing: Importing) -> dict[str, dict[str, Any]]:
    """What people see of each folder."""
    return {os.fsdecode(path): dict(said) for path, said in importing.at.requests.arrivals().items()}


def _requests(importing: Importing, do: str) -> list[Any]:
    """Those of the worker itself, open or ended."""
    client, table = importing.programs.client("dynamodb"), f"{importing.bucket}-requests"
    rows = client.scan(TableName=table)["Items"]
    return [json.loads(row["work"]["S"]) for row in rows if row.get("do", {}).get("S") == do]


@pytest.fixture
def senders(importing: Importing) -> Importing:
    """Alice and Bob are users of OMERO's, and deliver into folders of their own."""
    for name in ("alice", "bob"):
        importing.server.add_user(name, password="secret")
    return importing


def _until_imported(importing: Importing, *paths: bytes, seconds: float = 40) -> None:
    """Wait until exactly these are in OMERO, each once."""
    try:
        until(lambda: importing.states() == dict.fromkeys(paths, IMPORTED), seconds=seconds)
    except AssertionError as late:
        told = f"{importing.states()}\n{_shows(importing)}\n{importing.reasons()}\n{importing.log()[-4000:]}"
        raise AssertionError(f"not imported: {told}") from late
    assert importing.once() == {path.decode().lstrip("/"): 1 for path in paths}


def test_what_arrives_is_imported_for_its_sender_once_and_nobody_asks(senders: Importing) -> None:
    paths = [senders.image(f"alice/{number}.tif") for number in range(3)]
    senders.watch(BY_SENDER)
    _until_imported(senders, *paths)
    paths.append(senders.image("bob/sub/1.tif"))
    _until_imported(senders, *paths)
    images = {image.client_path: (image.owner, image.dataset) for image in senders.server.images()}
    assert images == {path.decode()[1:]: (path.decode().split("/")[3],) * 2 for path in paths}
    until(lambda: not senders.at.requests.open(), seconds=20)
    asked = _requests(senders, "scan")
    paths.append(senders.image("bob/sub/2.tif"))
    _until_imported(senders, *paths)
    until(lambda: not senders.at.requests.open(), seconds=20)
    scans = [path for each in _requests(senders, "scan") if each not in asked for path in each["paths"]]
    assert b"/OMERO/in/alice".hex() not in scans, "nothing has come for her"
    assert len(senders.server.jvm_starts()) <= 5, "what has not changed is not imported"


def test_a_persons_run_leaves_a_sender_their_images(senders: Importing) -> None:
    """Whoever asks for all that is pending has no sender's folder in mind: its images are the sender's."""
    senders.watch(BY_SENDER)
    senders.at.requests.pause(paused=True, arrivals=True)
    arrived, own = senders.image("alice/1.tif"), senders.image("../own/1.tif")
    for path in (b"/OMERO/in", b"/OMERO/own"):
        senders.scan(path)
    done = senders.run(user="bob")
    assert (done["imported"], done["left"]) == (1, 0)
    assert [(image.client_path, image.owner) for image in senders.server.images()] == [("OMERO/own/1.tif", "bob")]
    assert senders.states()[arrived] == PENDING
    assert senders.run(user="bob", under=b"/OMERO/in/alice".hex())["imported"] == 1, "asked for by name"
    assert own


def test_a_file_that_is_still_written_waits_and_one_that_is_replaced_meanwhile_is_told(senders: Importing) -> None:
    senders.watch({"user": "alice"}, settle=1.0)
    growing = senders.image("growing.tif")
    for _ in range(25):
        with (senders.folder / "growing.tif").open("ab") as file:
            file.write(b"\0" * 1000)
        time.sleep(0.2)
        assert senders.server.images() == []
    _until_imported(senders, growing)
    replaced = senders.image("replaced.tif")
    senders.server.fault("hold", "replaced.tif", at="verify", times=1)
    until(senders.server.held, seconds=40)
    senders.image("replaced.tif", b"II*\0another")
    senders.server.release()
    until(lambda: (entry := senders.at.ledger.get(replaced)) and entry.differs, seconds=40)
    until(lambda: _shows(senders)["/OMERO/in"]["replaced"] == 1, seconds=20)
    assert set(senders.once().values()) == {1}


@pytest.mark.nightly
def test_what_failed_waits_for_a_person_and_is_imported_once_after_a_replay(
    senders: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Poison files, a sender whom OMERO does not know, files of nobody's, and the name of an administrator."""
    monkeypatch.setattr(command, "import_context", lambda _name: senders.at)
    good, bad = senders.image("alice/good.tif"), senders.image("alice/bad.tif")
    empty, strange = senders.image("bob/empty.tif", b""), senders.image("mallory/1.tif")
    scanner, root = senders.image("scanner-3/1.tif"), senders.image("root/1.tif")
    senders.image("loose.tif")
    senders.server.fault("fail", "bad.tif", message="the tile at 3,4 is broken")
    senders.watch({**BY_SENDER, "owners": {"scanner-3": "alice"}})
    wanted = {good: IMPORTED, scanner: IMPORTED, bad: FAILED, empty: FAILED, strange: PENDING, root: PENDING}
    until(lambda: senders.states() == wanted, seconds=60)
    until(lambda: all(_shows(senders)[f"/OMERO/in/{name}"].get("error") for name in ("mallory", "root")), seconds=30)
    told = _status(1)
    assert "OMERO opens no session for mallory" in told["mallory"]["error"]
    assert "does not make root the owner" in told["root"]["error"]
    assert (told["mallory"]["waits"], told["alice"]["failed"], told["in"]["loose"]) == (1, 1, 1)
    assert "the tile at 3,4 is broken" in str(told["alice"]["reasons"])
    assert told["scanner-3"]["owner"] == "alice"
    senders.server.clear_faults()
    senders.server.add_user("mallory", password="secret")
    senders.image("bob/empty.tif")
    (senders.folder / "loose.tif").rename(senders.folder / "bob" / "loose.tif")
    (senders.folder / "root").rename(senders.folder / ".root")
    assert CliRunner().invoke(command.app, ["replay"]).exit_code == 0
    mended = dict.fromkeys((good, scanner, bad, empty, strange, b"/OMERO/in/bob/loose.tif"), IMPORTED)
    until(lambda: senders.states() == {**mended, root: PENDING}, seconds=60)
    assert set(senders.once().values()) == {1}
    assert {image.client_path: image.owner for image in senders.server.images()}["OMERO/in/scanner-3/1.tif"] == "alice"


def _status(exit_code: int) -> dict[str, dict[str, Any]]:
    """What `arrivals status` says, by the last part of each path."""
    done = CliRunner().invoke(command.app, ["status", "--json"])
    assert done.exit_code == exit_code, done.output
    return {each["path"].rpartition("/")[2]: each for each in json.loads(done.stdout)["folders"]}


@pytest.mark.nightly
def test_a_paused_worker_that_is_killed_again_and_again_loses_nothing(
    senders: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrives while nothing looks, and while a person asks for the same, is imported once."""
    monkeypatch.setattr(command, "import_context", lambda _name: senders.at)
    senders.at.requests.pause(paused=True, arrivals=True)
    senders.watch(BY_SENDER)
    paths = [senders.image(f"{name}/{number}.tif") for name in ("alice", "bob") for number in range(3)]
    until(lambda: "/OMERO/in/alice" in _shows(senders), seconds=40)
    assert senders.at.requests.open() == []
    assert CliRunner().invoke(command.app, ["resume"]).exit_code == 0
    senders.scan()
    senders.ask("run", **run_work(user="alice", under=b"/OMERO/in/alice".hex()))
    for number in range(4):
        senders.restart_worker()
        paths.append(senders.image(f"bob/late/{number}.tif"))
    _until_imported(senders, *paths, seconds=90)


def _queue_of_hints(importing: Importing) -> str:
    """The URL of a queue that the worker may read."""
    importing.programs.client("iam").put_role_policy(
        RoleName=importing.programs.ecs.role.rpartition("/")[2],
        PolicyName="hints",
        PolicyDocument=document(statement("sqs:DeleteMessage", "sqs:ReceiveMessage")),
    )
    return str(importing.programs.client("sqs").create_queue(QueueName=importing.bucket)["QueueUrl"])


def test_a_hint_makes_the_worker_look_at_once(senders: Importing) -> None:
    """Whatever is in it: junk is a hint as well."""
    sqs, url = senders.programs.client("sqs"), _queue_of_hints(senders)
    senders.watch(BY_SENDER, interval=3600, hints_url=url)
    until(lambda: b"/OMERO/in" in senders.at.requests.arrivals(), seconds=40)
    path = senders.image("alice/1.tif")
    sqs.send_message(QueueUrl=url, MessageBody="no JSON")
    _until_imported(senders, path)
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert {attributes[f"ApproximateNumberOfMessages{each}"] for each in ("", "NotVisible")} == {"0"}


MANY, SENDERS = 10_000, 20


@pytest.mark.nightly
def test_ten_thousand_arrivals_in_a_minute_and_hints_of_junk(importing: Importing) -> None:
    """Each is imported once, or has failed with its reason, though the worker is killed in the middle."""
    names = [f"scanner-{number}" for number in range(SENDERS)]
    for name in names:
        importing.server.add_user(name, password="secret")
    importing.server.fault("fail", "poison", message="the tile at 3,4 is broken")
    sqs, url = importing.programs.client("sqs"), _queue_of_hints(importing)
    importing.watch(BY_SENDER, settle=1.0, interval=30, hints_url=url)
    until(lambda: b"/OMERO/in" in importing.at.requests.arrivals(), seconds=40)
    good, bad = set[bytes](), set[bytes]()
    begun = time.monotonic()
    for number in range(MANY):
        is_bad = number % 200 == 7
        name = f"{names[number % SENDERS]}/{'poison' if is_bad else 'slide'} {number:05}.tif"
        (bad if is_bad else good).add(importing.image(name, b"II*\0%d" % number))
        if number % 100 == 0:  # moto counts all of them again for each
            junk = [{"Id": str(each), "MessageBody": f"{{{number}"} for each in range(10)]
            sqs.send_message_batch(QueueUrl=url, Entries=junk)
    assert time.monotonic() - begun < 60, "the test is about a minute"

    def imported() -> int:
        time.sleep(2)
        return len(importing.server.images())

    until(lambda: imported() > MANY // 4, seconds=1800)
    importing.restart_worker()
    until(lambda: imported() >= len(good), seconds=3600)
    wanted = {**dict.fromkeys(good, IMPORTED), **dict.fromkeys(bad, FAILED)}
    until(lambda: not importing.at.requests.open(), seconds=300)
    assert {path: state for path, state in importing.states().items() if wanted[path] != state} == {}
    assert importing.once() == {path.decode().lstrip("/"): 1 for path in good}
    assert {image.owner == image.client_path.split("/")[2] for image in importing.server.images()} == {True}
    assert all("the tile at 3,4 is broken" in entry.reason for entry in importing.at.ledger.entries(FAILED))
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert {attributes[f"ApproximateNumberOfMessages{each}"] for each in ("", "NotVisible")} == {"0"}
