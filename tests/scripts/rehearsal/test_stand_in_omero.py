"""The stand-in for OMERO's command line, in a container."""

from __future__ import annotations

import csv
import json
import os
import re
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import pytest
import yaml

from containers import script
from local_aws import files
from local_aws.testing.ecs import until
from local_aws.testing.programs import Programs
from scripts.rehearsal.stand_ins.omero import hql
from scripts.rehearsal.stand_ins.omero.paths import client_path
from scripts.rehearsal.stand_ins.omero.state import Server
from tests.scripts.rehearsal.stand_ins_help import IMAGE

_OMERO = "/opt/omero/server/venv3/bin/omero"


class Omero:
    """`omero` in a task of its own, and its server."""

    def __init__(self, programs: Programs) -> None:
        self.programs = programs
        self.data = programs.folder
        self.server = Server(self.data)
        self.server.add_user("alice", password="secret")

    def image(self, name: str, content: bytes = b"II*") -> Path:
        place = self.data / "DropBox" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place

    def run(self, *arguments: str, script: str | None = None) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        command = script or f'{_OMERO} "$@"'
        task = self.programs.run(
            *("/bin/bash", "-c"),
            f"mkdir -p /OMERO/out; ( {command} ) > /OMERO/out/1 2> /OMERO/out/2",
            *("omero", *arguments),
            environment=[{"name": "OMERO_PASSWORD", "value": "secret"}],
        )
        out, err = ((self.data / "out" / each).read_text() for each in "12")
        return int(task["containers"][0]["exitCode"]), out, err

    def load(self, *arguments: str) -> tuple[int, str, str]:
        return self.run("import", "-s", "omero", "-u", "alice", "--transfer=ln_s", "--output=yaml", *arguments)


@pytest.fixture
def omero(programs: Programs) -> Omero:
    return Omero(programs)


def test_import_in_place_prints_what_it_made(omero: Omero) -> None:
    for name in ("a.tif", "b c.lif", "d.txt"):
        omero.image(name)
    code, out, err = omero.load("-T", "regex:^.*/(?<Container1>.*?)", "/OMERO/DropBox", "--skip=all")
    assert code == 0, err
    assert yaml.safe_load(out.replace("---\n", "")) == [
        {"Fileset": 1, "Image": [1]},
        {"Fileset": 2, "Image": [2, 3]},
    ]
    assert "2 files uploaded, 2 filesets created, 3 images imported, 0 errors in" in err
    assert omero.server.count_by_client_path() == {"OMERO/DropBox/a.tif": 1, "OMERO/DropBox/b c.lif": 1}
    assert {(image.name, image.owner, image.dataset, image.transfer) for image in omero.server.images()} == {
        ("a.tif", "alice", "DropBox", "ln_s"),
        ("b c.lif [0]", "alice", "DropBox", "ln_s"),
        ("b c.lif [1]", "alice", "DropBox", "ln_s"),
    }
    links = [each for each in (omero.data / "ManagedRepository").rglob("*") if each.is_symlink()]
    assert sorted(str(each.readlink()) for each in links) == ["/OMERO/DropBox/a.tif", "/OMERO/DropBox/b c.lif"]
    assert len(omero.server.jvm_starts()) == 1


def test_exit_codes_mislead_as_the_real_ones(omero: Omero) -> None:
    for name in ("a.tif", "b.tif"):
        omero.image(name)
    omero.server.fault("fail", "a.tif")
    code, _, err = omero.load("-c", "/OMERO/DropBox")
    assert (code, list(omero.server.count_by_client_path())) == (0, ["OMERO/DropBox/b.tif"])
    assert "1 error in" in err
    code, _, err = omero.load("/OMERO/DropBox/a.tif", "/OMERO/DropBox/b.tif")
    assert code == 2
    assert "Exiting on error" in err
    assert omero.load("/OMERO/nowhere")[0] == 1
    assert omero.load("--bulk", "x.yml", "/OMERO/DropBox")[0] == 104


@pytest.mark.parametrize(("fault", "seen"), [("kill", 0), ("crash", 1)])
def test_dead_jvm_is_no_answer_whether_the_server_was_done(omero: Omero, fault: str, seen: int) -> None:
    omero.image("a.tif")
    omero.server.fault(fault, "a.tif", times=1)
    code, out, _ = omero.load("/OMERO/DropBox/a.tif")
    assert (code, out) == (247, "")  # -9, as omero-py passes it on
    assert len(omero.server.images()) == seen
    # What began is a fileset already, so that the exclusion keeps even from a second attempt what has no images.
    assert omero.server.query("SELECT count(*) FROM fileset") == [(1,)]
    code, out, err = omero.load("--exclude=clientpath", "/OMERO/DropBox/a.tif")
    assert (code, out) == (0, "")
    assert "File excluded" in err
    assert len(omero.server.images()) == seen
    query = "select f.id, i.id from Fileset f left outer join f.images i"
    code, out, err = omero.run("hql", "-s", "h", "-u", "alice", "--style", "json", query)
    assert json.loads(out) == [{"#": "0", "Col1": "1", "Col2": str(seen or None)}], err


def test_bulk_starts_a_jvm_for_each_line(omero: Omero) -> None:
    names = ["a.tif", "b.tif"]
    for name in names:
        omero.image(name)
    (omero.data / "files.tsv").write_text("".join(f"Dataset:name:D\t/OMERO/DropBox/{name}\n" for name in names))
    (omero.data / "bulk.yml").write_text("path: files.tsv\ncolumns: [target, path]\ntransfer: ln_s\ncontinue: true\n")
    code, out, err = omero.run("import", "-s", "h", "-u", "alice", "--bulk", "/OMERO/bulk.yml")
    assert (code, out) == (0, "Image:1\nImage:2\n"), err
    assert len(omero.server.jvm_starts()) == 2


def test_acts_for_another_with_an_administrators_password(omero: Omero) -> None:
    omero.image("a.tif")
    omero.server.add_user("importer", password="secret", admin=True)
    omero.server.add_user("bob", password="unknown")
    assert omero.load("--sudo", "importer", "-u", "bob", "/OMERO/DropBox/a.tif")[0] == 0
    assert [image.owner for image in omero.server.images()] == ["bob"]
    code, _, err = omero.load("--sudo", "alice", "-u", "bob", "/OMERO/DropBox/a.tif")
    assert code == 557 % 256
    assert "SecurityViolation" in err
    code, _, err = omero.load("-u", "bob", "/OMERO/DropBox/a.tif")
    assert code == 564 % 256
    assert "Password check failed" in err
    omero.server.down()
    code, _, err = omero.load("/OMERO/DropBox/a.tif")
    assert code == 554 % 256
    assert "ConnectionRefused" in err


def test_refuses_to_import_what_it_may_not_read_and_with_a_lock(omero: Omero) -> None:
    own = omero.image("a.tif")
    code, _, err = 0, "", ""
    os.environ["LOCAL_AWS_FILES"] = str(omero.data.parent)
    try:
        files.own(own, files.Owner(65534, 65534, 0o600))
        code, _, err = omero.load("/OMERO/DropBox/a.tif")
        files.forget(own)
    finally:
        del os.environ["LOCAL_AWS_FILES"]
    assert code == 2
    assert "a.tif: Permission denied" in err
    omero.server.lock("old-host")
    code, _, err = omero.load("/OMERO/DropBox/a.tif")
    assert (code, "its lock is held by old-host" in err) == (2, True)
    omero.server.up()
    assert omero.load("/OMERO/DropBox/a.tif")[0] == 0


def test_questions_find_filesets_and_images_by_client_path(omero: Omero) -> None:
    name = 'it\'s $(touch x) "q" ü.tif'
    omero.image(name)
    omero.load("-T", "Project:name:P/Dataset:name:D", "/OMERO/DropBox")
    path = client_path(f"/OMERO/DropBox/{name}")
    assert path == "OMERO/DropBox/it's $(touch x) 'q' ü.tif"
    columns = "e.clientPath, f.id, i.id, i.details.owner.omeName"
    source = "Fileset as f join f.usedFiles as e join f.images as i"
    literal = path.replace("'", "''")
    query = f"select {columns} from {source} where e.clientPath = '{literal}' order by i.id"  # noqa: S608
    code, out, err = omero.run("hql", "-s", "h", "-u", "alice", "--style", "csv", "--limit=-1", query)
    assert code == 0, err
    assert [row for row in csv.reader(out.splitlines()) if row] == [
        ["#", "Col1", "Col2", "Col3", "Col4"],
        ["0", path, "1", "1", "alice"],
    ]
    query = "select d.name, l.parent.name from Dataset d join d.projectLinks l"
    assert "0,D,P" in omero.run("hql", "-s", "h", "-u", "alice", "--style", "plain", query)[1]
    code, _, err = omero.run("hql", "-s", "h", "-u", "alice", "select f from Nothing f")
    assert (code, "Bad query: Nothing is not mapped" in err) == (52, True)


def test_objects_are_made_and_found(omero: Omero) -> None:
    script = (
        f'set -e; o="{_OMERO}"; $o login -u alice -s h 2>/dev/null; d=$($o obj new Dataset name="a b"); '
        "p=$($o obj new Project name=P); $o obj new ProjectDatasetLink parent=$p child=$d; $o obj get $d name; "
        "$o admin status; $o user list --style plain"
    )
    code, out, err = omero.run(script=script)
    assert code == 0, err
    assert out.splitlines()[:3] == ["ProjectDatasetLink:1", "a b", "Server reachable"]
    assert re.search(r"^\d+,alice,,3\r?$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/OMERO/a:b?.tif", "OMERO/a;b%.tif"),
        ("/OMERO/a\nb*.tif", "OMERO/a_bx.tif"),
        ("/OMERO/con/nul.tif", "OMERO/con_/_nul.tif"),
        ("/OMERO/$x", "OMERO/_$x"),
        (os.fsdecode(b"/OMERO/\xff"), "OMERO/\ufffd"),
    ],
)
def test_client_paths_are_made_safe(path: str, expected: str) -> None:
    assert client_path(path) == expected


@pytest.mark.parametrize(
    "query", ["delete from Image", "select i.nothing from Image i", "select i.id from Image i where i.name = :name"]
)
def test_refuses_queries_that_it_does_not_know(query: str) -> None:
    with pytest.raises(hql.BadQuery):
        hql.translate(query)


def test_server_waits_for_the_lock_of_another(omero: Omero, programs: Programs) -> None:
    definition = programs.definition(linuxParameters={"initProcessEnabled": True})
    first, second = programs.start(definition), programs.start(definition)
    for arn in (first, second):
        programs.until(arn, "RUNNING")

    def log(arn: str) -> list[Any]:
        return programs.log({"taskArn": arn})

    until(lambda: all("Running" not in (log(arn) or ["Running"])[-1] for arn in (first, second)), seconds=20)
    assert sorted([log(first)[-1], log(second)[-1]]) == [
        "OMERO.blitz now accepting connections.",
        "waiting for the repository's lock",
    ]
    for arn in (first, second):
        programs.ecs.client.stop_task(cluster=programs.ecs.cluster, task=arn)
    assert programs.until(first, "STOPPED")["containers"][0]["exitCode"] in (0, 143)


def test_read_only_server_runs_by_itself_and_writes_nothing(omero: Omero, programs: Programs) -> None:
    """Where it sees the files read-only, and after the read-write server has stopped."""
    writer = programs.start(programs.definition(linuxParameters={"initProcessEnabled": True}))
    programs.until(writer, "RUNNING")
    until(lambda: "OMERO.blitz now accepting connections." in programs.log({"taskArn": writer}), seconds=30)
    programs.ecs.client.stop_task(cluster=programs.ecs.cluster, task=writer)
    programs.until(writer, "STOPPED")
    before = {each: each.stat().st_mtime_ns for each in omero.data.rglob("*") if each.suffix != ".sqlite-shm"}
    definition = programs.definition(
        entryPoint=["/bin/bash", "-c"],
        command=[f"{_OMERO} admin start --foreground & until {_OMERO} admin status; do sleep 0.5; done; wait"],
        mountPoints=[{"sourceVolume": "files", "containerPath": programs.path, "readOnly": True}],
        environment=[{"name": f"CONFIG_omero_cluster_read__only_{what}", "value": "true"} for what in ("db", "repo")],
    )
    arn = programs.start(definition)
    programs.until(arn, "RUNNING")
    until(lambda: "Server reachable" in programs.log({"taskArn": arn}), seconds=30)
    after = {each: each.stat().st_mtime_ns for each in omero.data.rglob("*") if each.suffix != ".sqlite-shm"}
    assert after == before


def test_database_is_made_once_by_many(tmp_path: Path) -> None:
    """The server and its importer look for it at the same moment."""
    folders = [tmp_path / str(number) for number in range(30)]
    with Pool(4) as pool:
        for folder in folders:
            assert len(set(pool.map(_add_alice, [folder] * 4, chunksize=1))) == 1
            assert len([*folder.rglob("*.sqlite")]) == 1


def _add_alice(folder: Path) -> int:
    return Server(folder).add_user("alice", password="secret")


def test_options_of_import(omero: Omero) -> None:
    """Each line of the script is one import, after which its exit code is printed."""
    for name in (
        "a.tif",
        "b/c.vsi",
        "b/_c_/frame_t.ets",
        "b/_c_/d.tif",
        "e.companion.ome",
        "e1.tif",
        "x.fake",
        "empty.tif",
    ):
        omero.image(name, b"" if name == "empty.tif" else b'<Image FileName="e1.tif"/>')
    omero.image("y&series=3.fake")
    begin = f'cd /OMERO/DropBox; i() {{ {_OMERO} import -u alice -s h "$@" 2>>/OMERO/err; echo "= $?"; }}; '
    lines = [
        "i -f .",
        "i -f empty.tif",
        "i empty.tif",
        "i --output=legacy a.tif -n named",
        "i --output=ids 'y&series=3.fake' --transfer=cp",
        "i --transfer=ln a.tif --file /OMERO/log/out --errs /OMERO/log/errs",
        "i --transfer=upload b -T Dataset:@name:D --parallel-fileset 2",
        "i --transfer=ln_s e.companion.ome -T Dataset:name:D --annotation-ns ns --annotation-text text",
        "i -d 99 a.tif",
        "i -d Dataset:1 x.fake",
        "i --output=xml a.tif",
        "i --transfer=no.such.Class a.tif",
        "i --bulk /OMERO/bulk.yml --skip all",
        "printf 'a.tif\n a.tif \n' | i -",
    ]
    (omero.data / "bulk.yml").write_text("path: list.txt\nnothing: 1\n")
    (omero.data / "list.txt").write_text("a.tif\n")
    _, out, _ = omero.run(script=begin + "; ".join(lines))
    blocks = [block.strip() for block in re.split(r"= (\d+)\n", out)]
    answers = dict(zip(lines, zip(blocks[1::2], blocks[0::2], strict=False), strict=True))
    used = answers["i -f ."][1].splitlines()
    assert used.count("#======================================") == 5
    assert "/OMERO/DropBox/b/_c_/frame_t.ets" in used
    codes = {line: int(answer[0]) for line, answer in answers.items()}
    assert codes == {
        **dict.fromkeys(lines, 0),
        "i -f empty.tif": 125,
        "i empty.tif": 1,
        "i -d 99 a.tif": 2,
        "i --output=xml a.tif": 2,
        "i --transfer=no.such.Class a.tif": 1,
        "i --bulk /OMERO/bulk.yml --skip all": 200,
    }
    assert answers[lines[3]][1] == "1"
    assert answers[lines[4]][1] == "Image:2,3,4"
    assert answers[lines[5]][1] == ""
    assert (omero.data / "log" / "out").read_text() == "Image:5\n"
    assert "==> Summary" in (omero.data / "log" / "errs").read_text()
    by_path = {image.client_path.removeprefix("OMERO/DropBox/"): image for image in omero.server.images()}
    assert (by_path["b/c.vsi"].dataset, by_path["e.companion.ome"].dataset, by_path["x.fake"].dataset) == ("D",) * 3
    entries = omero.server.query("SELECT count(*) FROM filesetentry WHERE clientPath LIKE '%/b/%c%'")
    assert entries == [(3,)]
    assert omero.server.query("SELECT ns, textValue FROM annotation") == [("ns", "text")]
    assert len(by_path) == 5


def test_hostile_names_are_imported_and_run_nothing(omero: Omero) -> None:
    names = [
        "a b.tif",
        "-rf.tif",
        "$(touch x).tif",
        "`touch y`; touch z.tif",
        "quote'\"s.tif",
        "new\nline.tif",
        "tab\t.tif",
        "\U0001f52c" * 62 + ".tif",
        "é\u0301.tif",
        "a:b?.tif",
    ]
    for name in names:
        omero.image(name)
    broken = omero.image("plain.tif")
    broken.rename(os.fsdecode(os.fsencode(broken.parent) + b"/\xff.tif"))
    code, out, err = omero.load("-c", "/OMERO/DropBox")
    assert (code, out.count("Fileset:")) == (0, len(names)), err
    assert omero.server.count_by_client_path() == {client_path(f"/OMERO/DropBox/{name}"): 1 for name in names}
    assert {image.name for image in omero.server.images()} == set(names)
    links = [each for each in (omero.data / "ManagedRepository").rglob("*") if each.is_symlink()]
    assert {str(each.readlink()) for each in links} == {f"/OMERO/DropBox/{name}" for name in names}
    assert not [each for each in omero.data.rglob("*") if each.name in ("x", "y", "z")]


def test_the_stacks_own_servers_start_and_stop(programs: Programs) -> None:
    """With the very scripts that their task definitions carry."""
    python = "/opt/omero/server/venv3/bin/python"
    role = {
        "name": "read-only-role",
        "image": IMAGE,
        "essential": False,
        "entryPoint": [python, "-c", script("read_only_role.py")],
        "environment": [
            {"name": name, "value": "x"} for name in ("PGHOST", "PGDATABASE", "READ_ONLY_USER", "READ_ONLY_PASSWORD")
        ],
    }
    definition = programs.definition(
        entryPoint=["/bin/bash", "-c", script("server.sh")],
        dependsOn=[{"containerName": "read-only-role", "condition": "SUCCESS"}],
        linuxParameters={"initProcessEnabled": True},
        others=[role],
    )
    arn = programs.start(definition)
    programs.until(arn, "RUNNING")
    until(lambda: "Blitz-0.log | OMERO.blitz now accepting connections." in programs.log({"taskArn": arn}))
    programs.ecs.client.stop_task(cluster=programs.ecs.cluster, task=arn)
    stopped = programs.until(arn, "STOPPED")
    assert {each["name"]: each["exitCode"] for each in stopped["containers"]} == {
        "importer": 0,
        "read-only-role": 0,
    }
