"""The stand-in server's own part of imports: what it knows of them, when it dies, and from another NFS client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from local_aws.testing.ecs import until
from local_aws.testing.programs import Programs
from scripts.rehearsal.stand_ins.omero.state import POINTS
from tests.scripts.rehearsal.stand_ins_help import Served

HOST = "-s localhost -p 4064"
OPEN = f"omero sessions {HOST} -u root open --user-name alice"
ATTEMPTS = (
    "select l.parent.id, l.parent.details.creationEvent.session.uuid, "
    "l.parent.details.creationEvent.session.closed, l.parent.details.creationEvent.session.node.down, u.status.value, "
    "jol.child.path, jol.child.name from FilesetJobLink l, UploadJob u, JobOriginalFileLink jol where l.parent.id in "
    "(1, 2) and l.child = u and jol.parent = u and jol.child.mimetype = 'application/omero-log-file'"
)
OF_PATHS = (
    "select entry.clientPath, fileset.id, image.id, file.path, file.name, fileset.details.owner.omeName from "
    "FilesetEntry entry join entry.fileset fileset join entry.originalFile file left outer join fileset.images image "
    "where entry.clientPath in ('OMERO/in/a.tif', 'OMERO/in/b.tif')"
)
LINKS = "select link.child.id, link.parent.id from DatasetImageLink link where link.child.id in (1, 2)"


@pytest.fixture
def served(programs: Programs) -> Iterator[Served]:
    made = Served(programs)
    made.server.add_user("alice", password="secret")
    yield made
    made.stop()


def session(served: Served) -> str:
    code, out, err = served.run(OPEN)
    assert code == 0, err
    return out.strip()


def asked(served: Served, query: str) -> list[list[str]]:
    code, out, err = served.run(f'omero hql {HOST} -u root --all --style json --limit=-1 "{query}"')
    assert code == 0, err
    return [[value for name, value in row.items() if name != "#"] for row in json.loads(out)]


def load(path: str, key: str, *more: str) -> str:
    return f"omero import {HOST} -k {key} --transfer=ln_s --output=yaml {' '.join(more)} {path}"


def log_of(served: Served, row: list[str]) -> str:
    """An import's log, where the query says that it is; "" before the server has begun."""
    log = served.programs.folder / "ManagedRepository" / row[5] / row[6]
    return log.read_text() if log.exists() else ""


def test_one_session_an_attempt(served: Served) -> None:
    path = served.image("a.tif")
    key = session(served)
    code, out, err = served.run(load(path, key, "-T", "Dataset:name:D"))
    assert (code, "Fileset: 1" in out) == (0, True), err
    (row,) = asked(served, ATTEMPTS)
    assert row[:5] == ["1", key, "None", "None", "Finished"]
    assert log_of(served, row).splitlines()[-1].endswith("Cleaning up import.")
    text = log_of(served, row)
    assert [f"Step {number}" in text for number in range(7)] == [True] * 6 + [False]
    assert "Cancelled" not in text
    ((client_path, fileset, image, folder, name, owner),) = asked(served, OF_PATHS)
    assert (client_path, fileset, image, name, owner) == ("OMERO/in/a.tif", "1", "1", "a.tif", "alice")
    assert (served.programs.folder / "ManagedRepository" / folder / name).is_symlink()
    assert asked(served, LINKS) == [["1", "1"]]
    assert served.run(f"omero sessions {HOST} -u root close {key}")[:2] == (0, f"Session {key} closed.\n")
    (row,) = asked(served, ATTEMPTS)
    assert time.strptime(row[2])
    code, _, err = served.run(load(served.image("b.tif"), key))
    assert (code, "Bad session key" in err) == (523 % 256, True)


def test_a_session_is_opened_by_an_administrator_for_one_there_is(served: Served) -> None:
    code, out, err = served.run(OPEN.replace("-u root", "-u alice").replace("omero s", "OMERO_PASSWORD=secret omero s"))
    assert (code, out, "Admins only" in err) == (111, "", True)
    code, out, err = served.run(OPEN.replace("alice", "nobody"))
    assert (code, out, "No user found" in err) == (156, "", True)


@pytest.mark.parametrize("point", POINTS[1:])
def test_a_closed_session_is_a_fence_at_every_point(served: Served, point: str) -> None:
    key = session(served)
    served.server.fault("hold", "a.tif", at=point)
    job = served.begin(load(served.image("a.tif"), key))
    until(lambda: served.server.held() == [("OMERO/in/a.tif", point)])
    served.server.close_session(key)
    served.server.release()
    code, _, err = served.result(job)
    assert code == 2, err
    ((fileset, _, closed, down, status, *log),) = asked(served, ATTEMPTS)
    assert (fileset, closed == "None", down) == ("1", False, "None")
    assert status == ("Running" if point == "verify" else "Finished")
    images = served.server.images()
    assert len(images) == (point in ("pixels", "thumbnails"))
    text = log_of(served, ["", "", "", "", "", *log])
    assert "ERROR" not in text
    assert text.count(") Cancelled\n") == (point != "verify")
    assert text.endswith("Cleaning up import.\n") == (point != "verify")


@pytest.mark.parametrize("point", POINTS[1:])
def test_what_a_replaced_server_leaves(served: Served, point: str) -> None:
    key = session(served)
    served.server.fault("hold", "a.tif", at=point, times=1)
    served.begin(load(served.image("a.tif"), key))
    until(lambda: served.server.held() == [("OMERO/in/a.tif", point)])
    served.stop()
    served.start()
    (row,) = asked(served, ATTEMPTS)
    assert "None" not in row[2:4], "the session is closed, and its node is down"
    assert row[4] == ("Running" if point == "verify" else "Finished")
    assert "Cleaning up import." not in log_of(served, row)
    assert len(served.server.images()) == (point in ("pixels", "thumbnails"))


@pytest.mark.parametrize("kind", ["kill", "late"])
def test_the_server_goes_on_without_its_client(served: Served, kind: str) -> None:
    key = session(served)
    served.server.fault(kind, "a.tif", at="save")
    served.server.fault("hold", "a.tif", at="pixels")
    assert served.run(load(served.image("a.tif"), key))[0] == 247
    until(served.server.held)
    assert "Cleaning up import." not in log_of(served, asked(served, ATTEMPTS)[0])
    served.server.release()
    until(lambda: "Cleaning up import." in log_of(served, asked(served, ATTEMPTS)[0]))
    assert served.server.count_by_client_path() == {"OMERO/in/a.tif": 1}


def test_a_fault_kills_the_server_between_two_steps(served: Served) -> None:
    key = session(served)
    served.server.fault("die", "a.tif", at="pixels", times=1)
    served.begin(load(served.image("a.tif"), key))
    served.programs.until(served.task, "STOPPED")
    assert len(served.server.images()) == 1
    served.start()


def test_fails_on_the_server_with_an_end_in_its_log(served: Served) -> None:
    served.server.fault("fail", "a.tif", message="java.io.IOException: bad file")
    code, _, err = served.run(load(served.image("a.tif"), session(served)))
    assert (code, "stacktrace=java.io.IOException: bad file" in err) == (2, True)
    text = log_of(served, asked(served, ATTEMPTS)[0])
    assert (text.count(") Cancelled\n"), "ERROR" in text, "bad file" in text) == (1, False, False)
    assert text.splitlines()[-1].endswith("Cleaning up import.")


def test_the_jvm_ends_as_hotspot_does_without_memory(served: Served) -> None:
    served.server.fault("memory", "a.tif", times=1)
    path, key = served.image("a.tif"), session(served)
    options = "JAVA_OPTS='-Xmx2000m -XX:+ExitOnOutOfMemoryError'"
    code, out, _ = served.run(f"{options} {load(path, key)}")
    assert (code, out) == (3, "Terminating due to java.lang.OutOfMemoryError: Java heap space\n")
    served.run(load(served.image("b.tif"), key))
    heaps = served.server.query("SELECT heap FROM jvm ORDER BY id")
    assert heaps == [("2000m",), ("1024M",)], "omero-py's own comes before JAVA_OPTS"


def test_another_task_is_another_nfs_client(programs: Programs) -> None:
    served = Served(programs, same_task=False)
    served.server.add_user("alice", password="secret")
    code, _, err = served.run(load(served.image("a.tif"), session(served)))
    assert code == 2
    assert "cannot be modified locally!" in err
    assert served.server.images() == []
    served.stop()


def test_nobody_answers_without_a_server(programs: Programs) -> None:
    served = Served(programs, same_task=False)
    served.stop()
    code, _, err = served.run(f"omero fs {HOST} -u root repos")
    assert (code, "ConnectionRefused" in err) == (554 % 256, True)


def test_refuses_what_omeros_own_parser_refuses(served: Served) -> None:
    code, _, err = served.run("omero fs repos -s localhost -p 4064 -u root --managed")
    assert (code, "unrecognized arguments: -s localhost -p 4064 -u root" in err) == (2, True)
    assert served.run(f"omero fs {HOST} -u root repos --managed")[0] == 0
    code, out, err = served.run("HOME=/tmp/new omero user list")
    assert (code, out, err) == (564 % 256, "", "stdin is not a terminal: cannot request server\n")


def test_a_file_of_no_known_format(served: Served) -> None:
    code, out, err = served.run(load(served.image("a.txt"), session(served)))
    assert (code, out) == (1, "")
    assert "No imports found" in err
    assert "a.txt" not in err
