"""Debian's own OpenSSH client delivers through an endpoint and as users that `sftp` made; and cannot do more."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from local_aws import files
from local_aws.files import Owner
from local_aws.testing.sftp import AWKWARD, Sftp, digest, make_key, needs_sftp
from scripts.ingest.sftp.users import own_uid
from tests.scripts.ingest.sftp.sftp_help import Ran, Stage

Run = Callable[..., Ran]
pytestmark = needs_sftp

GIB = 2**30
PART = 64 * 2**20


@pytest.fixture
def sftp(there: Stage, tmp_path: Path) -> Sftp:
    return there.openssh(tmp_path)


@pytest.mark.nightly
def test_delivers_a_large_file_and_five_hundred_small_ones(there: Stage, sftp: Sftp, key: Path) -> None:
    source = sftp.work / "out"
    source.mkdir()
    part = os.urandom(PART)
    with (source / "slide.ndpi").open("wb") as file:
        for number in range(GIB // PART):
            file.write(number.to_bytes(4, "big") + part[4:])
    assert (source / "slide.ndpi").stat().st_size == GIB
    for number in range(500):
        (source / f"{AWKWARD[number % len(AWKWARD)]} {number}").write_bytes(os.urandom(number))
    done = sftp.run("put -r out\n", user="alice", key=key)
    assert done.returncode == 0, done.stderr
    landed = there.drop / "alice" / "out"
    names = sorted(each.name for each in source.iterdir())
    assert sorted(each.name for each in landed.iterdir()) == names
    assert [name for name in names if digest(landed / name) != digest(source / name)] == []
    # OMERO.server is in the group.
    assert files.owner(landed / "slide.ndpi") == Owner(own_uid("alice"), 1000, 0o644)


def test_gets_in_by_its_own_key_as_long_as_it_has_it(
    there: Stage, run: Run, sftp: Sftp, key: Path, tmp_path: Path
) -> None:
    wrong, second = make_key(tmp_path, "wrong"), make_key(tmp_path, "second")

    def gets_in(with_: Path) -> bool:
        done = sftp.run("pwd\n", user="alice", key=with_)
        assert done.returncode == 0 or "Permission denied (publickey)" in done.stderr, done.stderr
        return done.returncode == 0

    assert gets_in(key)
    assert not gets_in(wrong)
    run("user", "key", "add", "alice", "--key", second.with_suffix(".pub"))
    assert gets_in(second)
    fingerprint = run("user", "show", "alice", "--json").data["keys"][0]["fingerprint"]
    assert run("user", "key", "remove", "alice", fingerprint, "--yes").code == 0
    assert not gets_in(key)
    assert gets_in(second)
    assert run("user", "remove", "alice", "--yes").code == 0
    assert not gets_in(second)
    assert sftp.run("pwd\n", user="nobody", key=second).returncode == 255


def test_cannot_leave_its_home(there: Stage, run: Run, sftp: Sftp, key: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path, "other")
    run("user", "add", "bobby", "--key", other.with_suffix(".pub"))
    (tmp_path / "mine").write_text("mine")
    (there.drop / "bobby" / "secret").write_text("bobby's")
    home = there.drop / "alice"
    # Somebody with a shell on OMERO's side may have made links.
    (home / "up").symlink_to("../bobby")
    (home / "root").symlink_to("/")
    (home / "host").symlink_to("/etc/passwd")
    batch = (
        "get ../bobby/secret",
        "get /../bobby/secret",
        "get /bobby/secret",
        f"get /{there.files.name}/OMERO/SFTP/bobby/secret",
        "get /OMERO/SFTP/bobby/secret",
        "get up/secret",
        "get root/OMERO/SFTP/bobby/secret",
        "get host",
        "put mine ../bobby/x",
        "put mine up/x",
        "put mine root/x",
        "mkdir ../new",
        "rename mine ../bobby/mine",
        "ln -s ../bobby/secret link",
        "ln mine hard",
    )
    for command in batch:
        sftp.run(f"put mine\n{command}\n", user="alice", key=key)
    # A path of `..` is the home itself: what is put there lands inside of it.
    assert [each.name for each in (there.drop / "bobby").iterdir()] == ["secret"]
    assert (there.drop / "bobby" / "secret").read_text() == "bobby's"
    assert sorted(each.name for each in there.drop.iterdir()) == ["alice", "bobby"]
    assert sorted(each.name for each in there.files.iterdir()) == ["OMERO"]
    assert not (tmp_path / "secret").exists()
    assert not (tmp_path / "host").exists()
    assert not (home / "link").is_symlink()
    assert not (home / "hard").exists()
    shown = sftp.run("cd ..\ncd ../..\npwd\n", user="alice", key=key)
    assert "Remote working directory: /\n" in shown.stdout


@pytest.mark.parametrize(("uid", "is_let_in"), [(None, False), (1000, True)])
def test_the_logical_home_is_not_the_only_wall(
    there: Stage, run: Run, sftp: Sftp, key: Path, tmp_path: Path, uid: int | None, *, is_let_in: bool
) -> None:
    """With homes of type PATH, the whole file system is to be seen; the POSIX profile decides alone."""
    words = () if uid is None else ("--uid", str(uid))
    bobbys, omeros = make_key(tmp_path, "bobbys"), make_key(tmp_path, "omeros")
    for name, of in (("bobby", bobbys), ("carol", key)):
        assert run("user", "add", name, "--key", of.with_suffix(".pub"), *words).code == 0
    assert run("user", "add", "omero", "--key", omeros.with_suffix(".pub"), "--uid", "1000").code == 0
    (tmp_path / "slide.svs").write_text("bobby's")
    # A file that its sender's client has kept from others.
    (tmp_path / "slide.svs").chmod(0o640)
    deliver = f"lcd {tmp_path}\nmkdir case\nput slide.svs case/slide.svs\n"
    assert sftp.run(deliver, user="bobby", key=bobbys).returncode == 0
    for name in ("carol", "omero"):
        there.context.transfer.update_user(
            ServerId=there.server["ServerId"],
            UserName=name,
            HomeDirectoryType="PATH",
            HomeDirectory=f"/{there.files.name}",
        )
    case = f"/{there.files.name}/OMERO/SFTP/bobby/case"
    commands = (f"get {case}/slide.svs got", f"ls {case}", f"put got {case}/mine", f"rm {case}/slide.svs")
    (sftp.work / "got").write_text("")
    ended = [sftp.run(f"{command}\n", user="carol", key=key).returncode == 0 for command in commands]
    assert ended == [is_let_in] * len(commands)
    if not is_let_in:
        # OMERO.server reads it, and so imports it in place.
        assert sftp.run(f"get {case}/slide.svs read\n", user="omero", key=omeros).returncode == 0
        assert (sftp.work / "read").read_text() == "bobby's"


def test_reader_reads_only(there: Stage, run: Run, sftp: Sftp, tmp_path: Path) -> None:
    reader = make_key(tmp_path, "reader")
    run("user", "add", "reader", "--key", reader.with_suffix(".pub"), "--home", "alice", "--read-only")
    (there.drop / "alice" / "result").write_text("to fetch")
    files.own(there.drop / "alice" / "result", Owner(own_uid("alice"), 1000, 0o644))
    assert sftp.run("get result\n", user="reader", key=reader).returncode == 0
    for command in ("put result x", "rm result", "mkdir d", "rename result x"):
        assert sftp.run(f"get result\n{command}\n", user="reader", key=reader).returncode == 1
    assert [each.name for each in (there.drop / "alice").iterdir()] == ["result"]


def test_resumes_a_broken_upload(there: Stage, sftp: Sftp, key: Path) -> None:
    source = sftp.work / "big"
    source.write_bytes(os.urandom(PART))
    landed = there.drop / "alice" / "big"
    part = sftp.break_upload("big", landed, user="alice", key=key)
    assert 0 < part < PART
    done = sftp.run("reput big\n", user="alice", key=key)
    assert done.returncode == 0, done.stderr
    assert digest(landed) == digest(source)
