"""Imports by the worker beside the server: every image in OMERO exactly once, and the ledger says so."""

from __future__ import annotations

import os
from typing import Any

import pytest

from containers.importer.entries import DISMISSED, FAILED, IMPORTED, PENDING
from local_aws.testing.ecs import until
from tests.scripts.ingest.imports.hostile import names
from tests.scripts.ingest.imports.imports_help import Importing, run_work, swift_program


def test_what_was_found_is_imported_once(importing: Importing) -> None:
    paths = [importing.image(f"a/{number}.tif") for number in range(5)]
    found = importing.scan()
    assert (found["filesets"], found["new"]) == (5, 5)
    done = importing.run()
    assert {name: done[name] for name in ("imported", "failed", "left")} == {"imported": 5, "failed": 0, "left": 0}
    assert importing.states() == dict.fromkeys(paths, IMPORTED)
    assert importing.once() == {path.decode().lstrip("/"): 1 for path in paths}
    images = {image.client_path: image for image in importing.server.images()}
    for entry in importing.at.ledger.entries():
        image = images[entry.path.decode().lstrip("/")]
        assert (entry.images, entry.fileset, entry.count) == (str(image.id), image.fileset, 1)
        assert (entry.owner, image.transfer) == ("root", "ln_s")
        assert [line.split(", ")[1] for line in entry.history] == ["pending", "importing", "imported"]
    ((_, argv),) = importing.server.jvm_starts()
    assert "--no-upgrade-check" in argv, "it would wait 10 seconds"
    importing.scan()
    assert importing.run()["imported"] == 0
    assert set(importing.once().values()) == {1}
    assert len(importing.server.jvm_starts()) == 1


def test_what_must_not_reach_omero_does_not(importing: Importing) -> None:
    """A slide without a reader, a document type, somebody else's file: told by the scan, before there is a JVM."""
    good = importing.image("good.tif")
    slide = importing.image("patient.mrxs", b"\xff\xd8\xff\xe0")
    entity = importing.image("a.ome.xml", b'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a SYSTEM "file:///a">]><OME/>')
    theirs = importing.image("alice/a.companion.ome", b'<OME><UUID FileName="../bob/b.ome.tif"/></OME>')
    bobs = importing.image("bob/b.ome.tif")
    late = importing.image("late.ome.xml", b"<OME/>    ")
    assert importing.scan()["faulty"] == 3
    # Another content of the same size and time comes in its place, between the look and the import.
    place = importing.folder / "late.ome.xml"
    before = place.stat()
    place.write_bytes(b"<!ENTITY  ")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    done = importing.run()
    assert (done["imported"], done["failed"], done["left"]) == (2, 1, 0)
    bad = dict.fromkeys((slide, entity, theirs, late), FAILED)
    assert importing.states() == {good: IMPORTED, bobs: IMPORTED, **bad}
    assert set(importing.once()) == {good.decode().lstrip("/"), bobs.decode().lstrip("/")}
    retried = importing.answer(importing.ask("retry", files=[slide.hex()], under=""))
    assert retried["filesets"] == 1
    assert importing.run()["failed"] == 1
    assert importing.states()[slide] == FAILED


@pytest.mark.parametrize("refusal", ["", "the group cannot be changed"])
def test_what_took_a_file_from_elsewhere_is_hidden_and_told(importing: Importing, refusal: str) -> None:
    """A reader that reaches out of the folder, which no look at the files has foreseen."""
    importing.server.set("graph", refusal)
    path = importing.image("alice/a.tif")
    theirs = importing.image("bob/b.tif")
    importing.server.fault("hold", "a.tif", at="thumbnails", times=1)
    importing.scan(b"/OMERO/in/alice")
    request = importing.ask("run", **run_work(target="Dataset:@name:D", create=True))
    until(importing.server.held, seconds=60)
    ((fileset,),) = importing.server.query("SELECT id FROM fileset")
    importing.server.query(
        "INSERT INTO originalfile (id, name, path) VALUES (99, 'b.tif', 'root_0/b.tif')",
    )
    importing.server.query(
        "INSERT INTO filesetentry (fileset, originalFile, clientPath) VALUES (?, 99, ?)",
        fileset,
        theirs.decode().lstrip("/"),
    )
    importing.server.release()
    assert importing.answer(request)["failed"] == 1
    entry = importing.at.ledger.get(path)
    assert entry is not None
    assert (entry.state, entry.fileset) == (FAILED, fileset)
    assert "it made OMERO read /OMERO/in/bob/b.tif, which is not in its folder" in entry.reason
    if refusal:
        assert f"its images could not be hidden (failed: {refusal}): see to them at once" in entry.reason
    else:
        assert "only administrators see them" in entry.reason
        assert importing.server.query("SELECT egroup FROM images") == [(0,)]
        assert importing.server.query("SELECT * FROM datasetimagelink") == []
    assert f'importer refused "/OMERO/in/alice/a.tif": fileset {fileset}' in importing.log()


LATER = ("pixels", "thumbnails")
HOSTILE = [
    "with space.tif",
    "quote'.tif",
    'double".tif',
    "new\nline.tif",
    "$(touch pwned).tif",
    "`touch pwned`.tif",
    "-leading.tif",
    "--target=x.tif",
    "a?.tif",
    "a%.tif",
    "a*.tif",
    "ax.tif",
    "semi;colon.tif",
    "semi:colon.tif",
    "back\\slash.tif",
    "CON.tif",
    "$HOME.tif",
    "tab\t.tif",
    "{brace}.tif",
    "#hash.tif",
    "é" * 125 + ".tif",
    "\N{GRINNING FACE}" * 62 + ".tif",
    "'; drop table x; --.tif",
    "a' or '1'='1.tif",
]
# `make kills` takes 2,000.
HOSTILE_NAMES = int(os.environ.get("HOSTILE_NAMES", "10"))


def test_hostile_names_are_all_imported_and_run_nothing(importing: Importing) -> None:
    hostile = list(dict.fromkeys([*HOSTILE, *names(HOSTILE_NAMES)]))
    paths = [importing.image(name, f"II*{number}".encode()) for number, name in enumerate(hostile)]
    odd = importing.image(b"not-\xff-utf8.tif")
    importing.scan()
    importing.answer(importing.ask("run", **run_work()), seconds=60 + HOSTILE_NAMES)
    assert importing.states() == {**dict.fromkeys(paths, IMPORTED), odd: FAILED}
    assert sorted(image.name for image in importing.server.images()) == sorted(hostile)
    filesets = [entry.fileset for entry in importing.at.ledger.entries(IMPORTED)]
    assert len(set(filesets)) == len(hostile), "two names with the same client path are two images"
    assert not list(importing.programs.folder.rglob("*pwned")), "a name was run as a command"
    faulty = importing.at.ledger.get(odd)
    assert faulty is not None
    assert "not UTF-8" in faulty.reason


def test_a_crash_between_omeros_success_and_our_record_makes_no_second_image(importing: Importing) -> None:
    paths = [importing.image(f"{number}.tif") for number in range(6)]
    importing.server.fault("crash", "3.tif", times=1)
    importing.scan()
    importing.run()
    assert importing.states() == dict.fromkeys(paths, IMPORTED)
    assert set(importing.once().values()) == {1}


@pytest.mark.parametrize("point", ["save", *(pytest.param(each, marks=pytest.mark.nightly) for each in LATER)])
def test_what_omero_is_still_at_is_waited_for_however_long(importing: Importing, point: str) -> None:
    """Its importer has died; the server goes on, and what it makes is the only image."""
    path = importing.image("slow.tif")
    importing.server.fault("hold", "slow.tif", at=point, times=1)
    importing.server.fault("late", "slow.tif", at=point, times=1)
    importing.scan()
    request = importing.ask("run", **run_work())
    until(importing.server.held, seconds=30)
    until(lambda: not importing.programs_of("java"), seconds=30)
    for _ in range(10):
        assert importing.states() == {path: "importing"}
        assert len(importing.server.jvm_starts()) == 1
    importing.server.release()
    assert importing.answer(request)["imported"] == 1
    assert importing.states() == {path: IMPORTED}
    assert set(importing.once().values()) == {1}
    assert len(importing.server.jvm_starts()) == 1


def test_a_session_that_omero_does_not_find_at_first_is_closed_all_the_same(importing: Importing) -> None:
    """omero-py says "No session" and ends with 0 for any fault of the look-up: test_omero_py.py."""
    importing.server.add_user("alice", password="secret")
    importing.image("a.tif")
    importing.scan()
    importing.server.lose_lookups(1)
    assert importing.run(user="alice")["imported"] == 1
    assert importing.server.get("lookups") == "0"
    open_ = (
        "SELECT count(*) FROM session JOIN experimenter x ON x.id = experimenter WHERE omeName = ? AND closed IS NULL"
    )
    assert importing.server.query(open_, "alice") == [(0,)]


def test_an_administrator_who_may_not_see_sessions_is_told_what_is_missing(importing: Importing) -> None:
    importing.server.add_user("alice", password="secret")
    importing.server.add_user("root", password="omero", admin=True, lacks=("ReadSession",))
    path = importing.image("a.tif")
    importing.scan()
    request = importing.ask("run", **run_work(user="alice"))
    said = until(lambda: importing.progress(request).get("waiting"), seconds=30)
    assert "make root one, or name another in omero.importer.admin" in said
    importing.server.add_user("root", password="omero", admin=True)
    assert importing.answer(request)["imported"] == 1
    assert importing.states() == {path: IMPORTED}
    assert set(importing.once().values()) == {1}


def test_a_server_that_is_down_is_said_and_waited_for(importing: Importing) -> None:
    path = importing.image("a.tif")
    importing.scan()
    importing.server.down()
    request = importing.ask("run", **run_work())
    until(lambda: "does not answer" in str(importing.progress(request).get("waiting")), seconds=30)
    assert importing.states() == {path: PENDING}
    importing.server.up()
    assert importing.answer(request)["imported"] == 1


def test_a_lock_that_another_server_holds_is_said_and_waited_for(importing: Importing) -> None:
    importing.image("a.tif")
    importing.scan()
    importing.server.set("lock", "another-host")
    importing.restart_worker()
    request = importing.ask("run", **run_work())
    until(lambda: "no managed repository" in str(importing.progress(request).get("waiting")), seconds=30)
    importing.server.up()
    assert importing.answer(request)["imported"] == 1


def test_a_password_that_was_changed_in_omero_is_said_with_both_steps(importing: Importing) -> None:
    importing.image("a.tif")
    importing.scan()
    importing.server.add_user("root", password="another", admin=True)
    importing.restart_worker()
    request = importing.ask("run", **run_work())
    said = until(lambda: importing.progress(request).get("waiting"), seconds=30)
    assert "does not let root in" in said
    assert "aws secretsmanager put-secret-value" in said
    secret = importing.programs.client("secretsmanager")
    secret.put_secret_value(SecretId=importing.bucket, SecretString="another")
    assert importing.answer(request)["imported"] == 1


def test_what_runs_the_jvm_has_neither_credentials_nor_the_password(importing: Importing) -> None:
    importing.image("a.tif")
    importing.server.fault("slow", "a.tif", seconds=3)
    importing.scan()
    request = importing.ask("run", **run_work())
    found = until(lambda: importing.programs_of("java"), seconds=30)
    for environ in found:
        assert not [name for name in environ if name.startswith(("AWS_", "OMERO_PASSWORD", "LEDGER", "ECS_"))]
        assert environ["JAVA_OPTS"].startswith("-Xmx1024m")
    importing.answer(request)


def test_images_belong_to_the_user_that_is_named(importing: Importing) -> None:
    importing.server.add_user("alice", password="secret")
    path = importing.image("a.tif")
    importing.scan()
    importing.run(user="alice", target="Dataset:name:slides", create=True)
    (image,) = importing.server.images()
    assert (image.owner, image.dataset) == ("alice", "slides")
    entry = importing.at.ledger.get(path)
    assert entry is not None
    assert (entry.owner, entry.dataset, entry.dataset_name) == ("alice", 1, "slides")


def test_the_ledger_follows_an_image_into_another_dataset(importing: Importing) -> None:
    path = importing.image("a.tif")
    importing.scan()
    importing.run(target="Dataset:name:first", create=True)
    for change, where in (
        ("UPDATE dataset SET name = 'second'", (1, "second")),
        ("DELETE FROM datasetimagelink", (None, "")),
    ):
        importing.server.query(change)
        importing.answer(importing.ask("verify", under=""))
        entry = importing.at.ledger.get(path)
        assert entry is not None
        assert (entry.dataset, entry.dataset_name) == where


def test_an_unknown_user_is_said(importing: Importing) -> None:
    importing.image("a.tif")
    importing.scan()
    said = importing.run(user="mallory")["error"]
    assert "OMERO opens no session for mallory" in said
    assert "`omero-aws imports users` shows who there is" in said
    assert [name for name, _, _ in importing.answer(importing.ask("users"))["users"]] == ["guest", "root"]


def test_what_omero_has_already_is_told_as_omero_has_it(importing: Importing) -> None:
    """The ledger says whose it is, not whose it should have been."""
    importing.server.add_user("alice", password="secret")
    path = importing.image("a.tif")
    importing.scan()
    importing.run(user="alice")
    entry = importing.at.ledger.get(path)
    assert entry is not None
    importing.programs.client("dynamodb").delete_item(TableName=importing.bucket, Key={"id": {"S": entry.id}})
    importing.scan()
    done = importing.run(target="Dataset:name:slides", create=True)
    assert (done["already"], done["imported"]) == (1, 0)
    entry = importing.at.ledger.get(path)
    assert entry is not None
    assert (entry.owner, entry.note) == ("alice", "already alice's, not in Dataset:1")


def test_verify_lists_what_differs(importing: Importing) -> None:
    kept, lost = importing.image("kept.tif"), importing.image("lost.tif")
    importing.scan()
    importing.run()
    importing.server.query("DELETE FROM images WHERE name = 'lost.tif'")
    assert importing.answer(importing.ask("verify", under="")) == {"same": 1, "differs": 1}
    differs = {entry.path: entry.differs for entry in importing.at.ledger.entries(IMPORTED)}
    assert differs == {kept: "", lost: "OMERO has no image of this file any more"}
    assert importing.answer(importing.ask("retry", files=[lost.hex()], under=""))["filesets"] == 1
    assert importing.run()["imported"] == 1
    assert importing.states() == {kept: IMPORTED, lost: IMPORTED}
    assert sorted(image.name for image in importing.server.images()) == ["kept.tif", "lost.tif"]


def test_a_replaced_file_and_one_that_was_deleted_on_purpose(importing: Importing) -> None:
    replaced, deleted = importing.image("replaced.tif"), importing.image("deleted.tif")
    importing.scan()
    importing.run()
    importing.image("replaced.tif", b"II*\0another content")
    (importing.folder / "deleted.tif").unlink()
    assert importing.scan()["changed"] == 1
    entry = importing.at.ledger.get(replaced)
    assert entry is not None
    assert entry.differs == f"OMERO has an earlier content (fileset {entry.fileset})"
    assert importing.answer(importing.ask("verify", under=""))["differs"] == 2
    assert importing.answer(importing.ask("dismiss", files=[deleted.hex()], reason="a test slide"))["filesets"] == 1
    assert importing.states() == {replaced: IMPORTED, deleted: DISMISSED}
    assert importing.answer(importing.ask("verify", under=""))["differs"] == 1
    entry = importing.at.ledger.get(deleted)
    assert entry is not None
    assert "reason a test slide" in entry.history[-1]


@pytest.mark.nightly
def test_many_files_take_few_jvms(importing: Importing) -> None:
    for number in range(150):
        importing.image(f"{number:03}.tif")
    importing.scan()
    importing.answer(importing.ask("run", **run_work(batch_filesets=50)), seconds=120)
    assert set(importing.states().values()) == {IMPORTED}
    assert len(importing.server.jvm_starts()) == 3


TARGETS: list[tuple[str, str]] = [
    ("Dataset:77", "there is no Dataset 77, or root may not see it"),
    ("Project:name:P", "is a project, and images are in data sets"),
    ("Dataset:all", "target Dataset:all is none; allowed: Dataset:5, Dataset:name:a name"),
    ("Project:name:P/Dataset:name:D", "there is no Project named P; add --create-target to have it made"),
]


def test_targets_are_looked_up_and_made_once(importing: Importing) -> None:
    for target, fault in TARGETS:
        assert fault in importing.run(target=target)["error"]
    made: dict[str, Any] = {"target": "Project:name:the 'P'/Dataset:name:D: $(id)", "create": True}
    for name in ("a.tif", "b.tif"):
        importing.image(name)
        importing.scan()
        importing.run(**made)
    assert [(image.project, image.dataset) for image in importing.server.images()] == [("the 'P'", "D: $(id)")] * 2
    assert importing.server.query("SELECT count(*) FROM dataset") == [(1,)]
    importing.run(target="Dataset:name:D: $(id)", create=True)
    assert importing.server.query("SELECT count(*) FROM dataset") == [(1,)], "the newest of that name is taken"
    assert "2 Datasets" in _two_of_a_name(importing)


def _two_of_a_name(importing: Importing) -> str:
    importing.run(target="Dataset:@name:E", create=True)
    importing.run(target="Dataset:@name:E", create=True)
    return str(importing.run(target="Dataset:%name:E")["error"])


def test_a_newer_program_is_taken_while_nothing_is_asked_for(importing: Importing) -> None:
    importing.scan()
    before = importing.task_of_server()
    more = (("importer/worker.py", "importer alive\\n", "importer alive, the newer one\\n"),)
    importing.publish(swift_program(more))
    until(lambda: "the newer one" in importing.log(), seconds=30)
    assert importing.task_of_server() == before
