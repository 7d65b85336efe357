"""Messages about arrivals add up to the ledger, come once or with the same number, and are not made to lie by names."""

from __future__ import annotations

import json
import random
import re
import shlex
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from containers.importer import entries
from containers.importer.entries import DISMISSED, FAILED, IMPORTED, IMPORTING, INCOMPLETE, PENDING, REPORT, WHO
from containers.importer.ledger import Entry, Ledger
from containers.importer.messages import SUBJECT_CHARACTERS, Message
from containers.importer.reports import EARLY_SECONDS, LATEST_SECONDS, PAUSE_SECONDS, SOONEST_SECONDS, Reports
from containers.importer.scan import scan
from containers.importer.table import Table
from containers.supervisor.signing import Aws, AwsError
from local_aws.testing.ecs import Client
from tests.containers.importer.test_ledger import put

Tables = tuple[Table, Table]
SETTINGS: dict[str, Any] = {
    "workspace": "lab",
    "web_url": "https://omero.example.org",
    "reports_topic": "arn:topic",
    "folders": [{"path": "/OMERO/in"}],
}
DONE = {"owner": "alice", "dataset": 5, "dataset_name": "slides", "images": "7-8"}


@dataclass
class Telling:
    """Messages at the moment that `now` says, which grows by `later`."""

    tables: Tables
    ledger: Ledger
    now: float = 1_000_000.0
    sent: list[tuple[str, str]] = field(default_factory=list)
    fault: BaseException | None = None
    arrives: bool = True

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.reports = Reports(self.tables[1], self.ledger, self._publish)

    def _publish(self, topic: str, subject: str, text: str) -> None:
        assert topic == "arn:topic"
        if self.arrives or not self.fault:
            self.sent.append((subject, text))
        if self.fault:
            raise self.fault

    def tell(self, *, busy: bool = False, later: float = SOONEST_SECONDS) -> None:
        self.now += later
        self.reports.tell(SETTINGS, busy=busy, arriving=3)

    def claim(self, *made: Entry, who: str = WHO) -> list[Entry]:
        return self.ledger.claim(uuid4().hex, "request", self.ledger.get_all(each["id"] for each in made).values(), who)

    def settle(self, *made: Entry, state: str = IMPORTED, who: str = WHO) -> None:
        for each in self.claim(*made, who=who):
            assert self.ledger.settle(each, state, DONE if state == IMPORTED else {"reason": "it is broken"})

    @property
    def counts(self) -> Counter[str]:
        """Of all messages, each number once."""
        found = {re.search(r"Message (\S+):", text)[1]: text for _, text in self.sent}  # type: ignore[index]
        total: Counter[str] = Counter()
        for text in found.values():
            total += {word: int(re.search(rf"^{word}: (\d+)$", text, re.M)[1]) for word in ("imported", "failed")}  # type: ignore[index]
        return total

    def rows(self) -> list[str]:
        return [str(each["row"]) for each in self.tables[1].rows(REPORT)]


@pytest.fixture
def telling(tables: Tables, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Telling:
    made = Telling(tables, ledger)
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    monkeypatch.setattr(time, "time", lambda: made.now)
    return made


def test_one_message_tells_of_all_that_many_imports_came_to(telling: Telling) -> None:
    made = [put(telling.ledger, number) for number in range(5)]
    for each in made[:3]:
        telling.settle(each)
    telling.settle(made[3], state=FAILED)
    telling.settle(made[4], state=INCOMPLETE)
    telling.tell()
    ((subject, text),) = telling.sent
    assert subject == "OMERO lab: 3 imported, 2 failed"
    assert "imported: 3\nfailed: 2\nstill arriving: 3\n" in text
    assert "- 3 of alice, dataset slides: https://omero.example.org/webclient/?show=dataset-5\n" in text
    assert "- /OMERO/in/00003.tif: it is broken\n- /OMERO/in/00004.tif: it is broken\n" in text
    assert text.endswith("omero-aws arrivals replay --workspace lab --under /OMERO/in\n")
    telling.tell()
    assert len(telling.sent) == 1
    assert telling.rows() == []


def test_a_fileset_is_told_as_it_is_when_the_message_is_made(telling: Telling) -> None:
    made = [put(telling.ledger, number) for number in range(2)]
    telling.settle(*made, state=FAILED)
    for each, state in ((made[0], PENDING), (made[1], DISMISSED)):
        entry = telling.ledger.get_all([each["id"]])[each["id"]]
        assert telling.ledger.change(entry, state, {})
    telling.settle(made[0])
    telling.tell()
    assert telling.counts == {"imported": 1}


def test_what_people_import_is_not_told(telling: Telling) -> None:
    telling.settle(put(telling.ledger, 1), who="arn:alice")
    telling.tell()
    assert telling.sent == []


def test_nothing_is_sent_without_a_topic(telling: Telling) -> None:
    telling.settle(put(telling.ledger, 1))
    telling.reports.tell({}, busy=False, arriving=0)
    assert telling.sent == []


def test_messages_are_few(telling: Telling) -> None:
    made = [put(telling.ledger, number) for number in range(8)]
    telling.settle(made[0])
    telling.tell()
    telling.settle(made[1])
    telling.tell(later=SOONEST_SECONDS - 1)
    telling.restart()
    telling.tell(later=0)
    assert len(telling.sent) == 1, "however often something ends, and whoever is killed"
    telling.tell(later=1)
    assert len(telling.sent) == 2
    telling.settle(made[2])
    telling.tell(busy=True)
    telling.tell(busy=True, later=LATEST_SECONDS - 1)
    assert len(telling.sent) == 2, "while imports go on"
    telling.tell(busy=True, later=1)
    assert len(telling.sent) == 3, "but not for ever"
    telling.settle(made[3])
    telling.tell(busy=True, later=SOONEST_SECONDS)
    assert len(telling.sent) == 3
    telling.tell(later=1)
    assert telling.counts == {"imported": 4}


@pytest.mark.parametrize("arrives", [True, False])
def test_a_worker_that_is_killed_while_it_sends_leaves_the_same_message(telling: Telling, arrives: bool) -> None:
    made = [put(telling.ledger, number) for number in range(3)]
    telling.settle(made[0])
    telling.settle(made[1], state=FAILED)
    telling.fault, telling.arrives = SystemExit(), arrives
    with pytest.raises(SystemExit):
        telling.tell()
    telling.fault = None
    telling.restart()
    telling.ledger.change(telling.ledger.get_all([made[1]["id"]])[made[1]["id"]], PENDING, {})
    telling.settle(made[1], made[2])
    telling.tell()
    assert len(telling.sent) == 1 + arrives
    assert len(set(telling.sent)) == 1, "word for word"
    telling.tell()
    assert telling.counts == {"imported": 3, "failed": 1}


def test_what_was_sent_is_not_told_again_by_the_next_worker(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    telling.settle(put(telling.ledger, 1))
    with monkeypatch.context() as patch:
        patch.setattr(Table, "write_all", lambda _self, puts=(), deletes=(): _end() if deletes else None)
        with pytest.raises(SystemExit):
            telling.tell()
    telling.restart()
    telling.tell()
    assert len(telling.sent) == 1
    assert telling.rows() == []


def _end() -> None:
    raise SystemExit


def test_a_topic_that_takes_nothing_is_asked_less_and_less_and_nothing_is_lost(telling: Telling) -> None:
    telling.settle(put(telling.ledger, 1))
    telling.fault, telling.arrives = AwsError("AuthorizationError", "no"), False
    begun, asked = telling.now, 0
    while telling.now < begun + 86_400:
        telling.tell(later=0)
        asked += 1
        assert telling.reports._not_before >= telling.now + PAUSE_SECONDS
        telling.tell(later=PAUSE_SECONDS - 1)
        telling.now = telling.reports._not_before
    assert asked < 32, "in a day"
    telling.settle(put(telling.ledger, 2))
    telling.fault = None
    telling.tell(later=3600)
    telling.tell()
    assert telling.counts == {"imported": 2}


@pytest.mark.parametrize("call", range(4))
def test_a_worker_that_is_killed_while_it_settles_loses_no_news(
    telling: Telling, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    (claimed,) = telling.claim(put(telling.ledger, 1))
    done = 0
    real = Aws.call

    def killed(self: Aws, *arguments: Any, **more: Any) -> dict[str, Any]:
        nonlocal done
        if done == call:
            raise SystemExit
        done += 1
        return real(self, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Aws, "call", killed)
        with suppress(SystemExit):
            telling.ledger.settle(claimed, IMPORTED, DONE)
    telling.tell()
    if telling.ledger.get_all([claimed["id"]])[claimed["id"]]["state"] == IMPORTING:  # or the next worker leaves it
        telling.ledger.settle(claimed, IMPORTED, DONE)
    telling.tell()
    assert telling.counts == {"imported": 1}


def test_a_row_of_what_was_never_settled_is_no_news(telling: Telling) -> None:
    (claimed,) = telling.claim(put(telling.ledger, 1))
    telling.ledger.announce(claimed["id"], claimed["attempt"])
    telling.tell()
    assert (telling.sent, len(telling.rows())) == ([], 1), "it may be settled in the next moment"
    telling.ledger.settle(claimed, PENDING, {})
    telling.tell(later=EARLY_SECONDS)
    assert (telling.sent, telling.rows()) == ([], [])


def test_what_a_scan_refuses_is_told_once(telling: Telling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPORT_ROOTS", json.dumps([str(tmp_path)]))
    (tmp_path / "empty.tif").write_bytes(b"")
    work = {"path": bytes(tmp_path).hex(), "data_dir": "/OMERO", "settle_seconds": 0, "checksum": False}
    for _ in range(2):
        scan(work, telling.ledger, who=WHO, stop=threading.Event(), say=lambda **_said: None)
        telling.tell()
    ((subject, text),) = telling.sent
    assert subject == "OMERO lab: 0 imported, 1 failed"
    assert f"- {tmp_path}/empty.tif: " in text
    (tmp_path / "other.tif").write_bytes(b"")
    scan(work, telling.ledger, who="arn:alice", stop=threading.Event(), say=lambda **_said: None)
    telling.tell()
    assert len(telling.sent) == 1, "what a person has scanned is shown to that person"


@pytest.mark.parametrize("seed", range(4))
def test_all_messages_together_have_what_the_ledger_has(telling: Telling, seed: int) -> None:
    chance = random.Random(seed)
    made = [put(telling.ledger, number) for number in range(12)]
    failures = 0
    for _ in range(60):
        entry = telling.ledger.get_all([chance.choice(made)["id"]]).popitem()[1]
        if entry["state"] == PENDING:
            state = chance.choice((IMPORTED, FAILED, INCOMPLETE, PENDING))
            telling.settle(entry, state=state)
        elif entry["state"] == FAILED and chance.random() < 0.7:
            telling.ledger.change(entry, PENDING, {"attempts": 0})
        if chance.random() < 0.3:
            telling.fault = chance.choice((None, SystemExit(), OSError("lost"), AwsError("Throttled", "slow")))
            telling.arrives = chance.random() < 0.5
            try:
                telling.tell(later=LATEST_SECONDS)
            except SystemExit:
                telling.restart()
        before, failures = failures, telling.counts["failed"]
        assert failures >= before
    telling.fault = None
    telling.tell(later=LATEST_SECONDS)
    telling.tell(later=EARLY_SECONDS + 1)
    assert telling.rows() == []
    now = telling.ledger.get_all(each["id"] for each in made).values()
    assert telling.counts["imported"] == Counter(each["state"] for each in now)[IMPORTED]
    for each in now:
        if each["state"] in (FAILED, INCOMPLETE):
            assert sum(entries.shown(each["path"]) in text for _, text in telling.sent)


def _entry(path: bytes, state: str = FAILED, **more: Any) -> Entry:
    return {"path": path, "state": state, "reason": "it is broken", **more}


def _message(*settled: Entry, **settings: Any) -> Message:
    return Message("n-1", settled, 0, {**SETTINGS, **settings})


HOSTILE = [
    b"/OMERO/in/a\nfailed: 0\nimported: 9999",
    b"/OMERO/in/\x1b[2J\r\nSubject: all is well",
    b"/OMERO/in/\xff\xfe.svs",
    "/OMERO/in/\u202egpj.svs".encode(),
    "/OMERO/in/\u2028failed: 0".encode(),
    b"/OMERO/in/$(reboot)`reboot`'\"/1.svs",
]


@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_no_name_makes_a_line_of_its_own(path: bytes) -> None:
    text = path.rpartition(b"/")[2].decode("utf-8", "surrogateescape")
    done = _entry(path, IMPORTED, **{**DONE, "dataset_name": text, "owner": text})
    message = _message(_entry(path, reason=text), done)
    lines = message.text.splitlines()
    plain = _message(_entry(b"/OMERO/in/x/1.svs"), _entry(b"/OMERO/in/x/1.svs", IMPORTED, **DONE)).text.splitlines()
    assert len(lines) == len(plain)
    assert [line for line in lines if line.startswith(("imported", "failed"))] == ["imported: 1", "failed: 1"]
    assert all(line.isprintable() for line in lines)
    message.text.encode()
    assert message.subject == "OMERO lab: 1 imported, 1 failed"


def test_a_command_can_be_typed_as_it_stands() -> None:
    last = _message(_entry(b"/OMERO/in/$(reboot) 'x'/1.svs")).text.splitlines()[-1].partition(": ")[2]
    assert shlex.split(last)[-2:] == ["--under", "/OMERO/in/$(reboot) 'x'"]
    for path in (b"/OMERO/in/a\x1b/1.svs", b"/elsewhere/1.svs"):
        assert "--under" not in _message(_entry(path)).text
    assert "replay" not in _message(_entry(b"/OMERO/in/1.svs", IMPORTED, **DONE)).text


def test_datasets_of_one_name_have_their_own_links_and_what_is_in_none_has_an_image() -> None:
    done = [_entry(b"/OMERO/in/1.svs", IMPORTED, **{**DONE, "dataset": id_}) for id_ in (5, 6, 6)]
    none = _entry(b"/OMERO/in/2.svs", IMPORTED, owner="bob", images="101-104")
    text = _message(*done, none).text
    assert "- 2 of alice, dataset slides: https://omero.example.org/webclient/?show=dataset-6\n" in text
    assert "- 1 of alice, dataset slides: https://omero.example.org/webclient/?show=dataset-5\n" in text
    assert "- 1 of bob, no dataset: https://omero.example.org/webclient/?show=image-101\n" in text


def test_what_does_not_fit_is_counted() -> None:
    many = [_entry(b"/OMERO/in/" + b"\xff" * 3000 + b"%d.svs" % number, reason="r" * 9000) for number in range(500)]
    sets = [
        _entry(b"/OMERO/in/1.svs", IMPORTED, **{**DONE, "dataset": id_, "dataset_name": "\u20ac" * 255})
        for id_ in range(500)
    ]
    message = _message(*many, *sets, workspace="w" * 24)
    assert len(message.text.encode()) <= 100_000
    shown = message.text.count("r" * 100 + "\n")
    assert f"- and {500 - shown} more\n" in message.text
    assert "- and 400 in other datasets\n" in message.text
    assert "omero-aws arrivals replay" in message.text
    assert (len(message.subject) <= SUBJECT_CHARACTERS, message.subject.isascii()) == (True, True)
    assert len(_message(workspace="w" * 200).subject) < 100


def test_sns_takes_the_longest_subject(client: Client) -> None:
    topic = client("sns").create_topic(Name=uuid4().hex)["TopicArn"]
    message = _message(workspace="w" * 200)
    assert client("sns").publish(TopicArn=topic, Subject=message.subject, Message=message.text)["MessageId"]


def test_sns_takes_what_the_worker_sends(connection: Aws, client: Client) -> None:
    topic = client("sns").create_topic(Name=uuid4().hex)["TopicArn"]
    queue = client("sqs").create_queue(QueueName=uuid4().hex)["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    message = _message(_entry("/OMERO/in/Präparat & 1+1=2 %41.svs".encode()))
    asked = {"Action": "Publish", "Version": "2010-03-31", "Message": message.text, "Subject": message.subject}
    connection.query("sns", {**asked, "TopicArn": topic})
    (got,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
    body = json.loads(got["Body"])
    assert (body["Subject"], body["Message"]) == (message.subject, message.text)
    with pytest.raises(AwsError, match="NotFound: Publish: ") as refused:
        connection.query("sns", {**asked, "TopicArn": topic + "x"})
    assert refused.value.code == "NotFound"
