"""`sftp user ...`: who gets in, where they are kept, and what is refused before anything is changed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from local_aws import files
from local_aws.files import Owner
from local_aws.server import LocalAws
from local_aws.testing.sftp import make_key, public
from scripts.changes import changing
from scripts.errors import Refused
from scripts.ingest.sftp import keys, users
from tests.scripts.ingest.sftp.sftp_help import PUBLIC, Killed, Ran, Stage, calls, make_stage

Run = Callable[..., Ran]
READ = ("Get", "List", "Describe")


@pytest.fixture
def there(stage: Stage) -> Stage:
    """An endpoint without users."""
    stage.ensure(**PUBLIC)
    return stage


def test_add_show_list_remove(there: Stage, run: Run, key: Path) -> None:
    added = run("user", "add", "alice", "--key", key.with_suffix(".pub"), "--json")
    assert added.code == 0, added.err
    assert added.data["user"]["home"] == "/OMERO/SFTP/alice"
    own = users.own_uid("alice")
    assert files.owner(there.drop / "alice") == Owner(own, 1000, 0o2750)
    again = run("user", "add", "alice", "--key", key.with_suffix(".pub"), "--json")
    assert (again.code, again.data["changes"]) == (0, [])
    assert "nothing to change: user alice already exists." in again.err

    shown = run("user", "show", "alice", "--json").data
    assert (shown["uid"], shown["gid"], shown["read_only"]) == (own, own, False)
    (one,) = shown["keys"]
    assert one["fingerprint"] == asyncssh.read_public_key(key.with_suffix(".pub")).get_fingerprint()
    run("user", "add", "lab.bob", "--key", key.with_suffix(".pub"), "--home", "lab/bob", "--uid", "2000", "--read-only")
    assert files.owner(there.drop / "lab" / "bob") == Owner(2000, 1000, 0o2750)
    assert run("user", "list", "--json").data == [
        {"name": "alice", "read_only": False, "keys": 1},
        {"name": "lab.bob", "read_only": True, "keys": 1},
    ]
    assert "lab.bob" in run("user", "list").err
    described = there.context.transfer.describe_user(ServerId=there.server["ServerId"], UserName="lab.bob")["User"]
    assert described["HomeDirectoryType"] == "LOGICAL"
    assert described["HomeDirectoryMappings"] == [{"Entry": "/", "Target": f"/{there.files.name}/OMERO/SFTP/lab/bob"}]
    assert described["Role"].endswith("-sftp-reader")

    (there.drop / "alice" / "slide.svs").write_text("an image")
    assert run("user", "remove", "alice", "--yes").err == "user alice: removed; the files in /OMERO/SFTP/alice stay\n"
    assert (there.drop / "alice" / "slide.svs").read_text() == "an image"
    assert run("user", "show", "alice").code == 2


def test_keys_come_and_go(there: Stage, run: Run, key: Path, tmp_path: Path) -> None:
    run("user", "add", "alice", "--key", key.with_suffix(".pub"))
    second = make_key(tmp_path, "second", "ssh-rsa", key_size=3072)
    assert run("user", "key", "add", "alice", "--key", second.with_suffix(".pub")).code == 0
    assert run("user", "key", "add", "alice", "--key", second.with_suffix(".pub"), "--json").data["changes"] == []
    shown = run("user", "show", "alice", "--json").data["keys"]
    assert [each["type"] for each in shown] == ["ssh-ed25519", "ssh-rsa"]
    refused = run("user", "key", "remove", "alice", "SHA256:none", "--yes")
    assert refused.code == 2
    assert "user alice has no key SHA256:none; give one of key-" in refused.err
    assert run("user", "key", "remove", "alice", shown[0]["fingerprint"], "--yes").code == 0
    last = run("user", "key", "remove", "alice", shown[1]["id"], "--yes")
    assert "it was the last one, so nobody can log in as this user now" in last.err
    assert run("user", "show", "alice", "--json").data["keys"] == []


def test_dry_run_makes_nothing(there: Stage, run: Run, key: Path) -> None:
    planned = run("user", "add", "alice", "--key", key.with_suffix(".pub"), "--dry-run", "--json")
    assert (planned.code, len(planned.data["changes"]), planned.data["user"]) == (0, 2, None)
    assert not (there.drop / "alice").exists()
    assert run("user", "list", "--json").data == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("al", "--key", "{pub}"), "the user name 'al' is not allowed; give 3 to 100 letters"),
        (("a b c", "--key", "{pub}"), "the user name 'a b c' is not allowed"),
        (("root", "--key", "{pub}"), "the user name root is not allowed: Transfer Family refuses it at login"),
        (("alice", "--key", "{pub}", "--home", "../other"), "the home '../other' is not in the drop area; give"),
        (("alice", "--key", "{pub}", "--home", "/OMERO/ManagedRepository"), "is not in the drop area"),
        (("alice", "--key", "{pub}", "--home", "/OMERO/SFTP/"), "is not in the drop area"),
        (("alice", "--key", "{pub}", "--uid", "0"), "the uid 0 is not allowed; give 1 to 4294967294 (0 is root)"),
        (("alice", "--key", "{private}"), "holds a private key, which must not leave its owner's machine"),
        (("alice", "--key", "{missing}"), "cannot be read: No such file or directory; give the file of a public key"),
    ],
)
def test_refuses(there: Stage, run: Run, key: Path, words: tuple[str, ...], said: str) -> None:
    paths = {"pub": str(key.with_suffix(".pub")), "private": str(key), "missing": str(key) + ".x"}
    with calls(there) as names:
        done = run("user", "add", *(word.format(**paths) for word in words))
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert done.err.startswith("error: ")
    assert [name for name in names if not name.startswith(READ)] == []


def test_refuses_another_user_of_that_name_and_another_owners_folder(
    there: Stage, run: Run, key: Path, tmp_path: Path
) -> None:
    pub = key.with_suffix(".pub")
    run("user", "add", "alice", "--key", pub)
    other = make_key(tmp_path, "other").with_suffix(".pub")
    assert "user alice already exists, with another key; run `" in run("user", "add", "alice", "--key", other).err
    said = run("user", "add", "alice", "--key", pub, "--home", "elsewhere")
    assert said.code == 2
    own = users.own_uid("alice")
    assert f"user alice already exists, with the home /OMERO/SFTP/alice, uid {own}, may write; choose" in said.err
    taken = run("user", "add", "bobby", "--key", pub, "--home", "alice", "--uid", "2000")
    assert taken.code == 2
    assert f"the folder /OMERO/SFTP/alice belongs to uid {own}, not 2000; give --uid {own}, or another" in taken.err
    assert run("user", "show", "bobby").code == 2
    (there.drop / "file").write_text("")
    assert "/OMERO/SFTP/file is a file or a symbolic link" in run("user", "add", "file", "--key", pub).err


def _posix(there: Stage, name: str) -> dict[str, int]:
    described = there.context.transfer.describe_user(ServerId=there.server["ServerId"], UserName=name)["User"]
    profile: dict[str, int] = described["PosixProfile"]
    return profile


def test_each_folder_has_a_uid_of_its_own_and_who_shares_it_has_that(there: Stage, run: Run, key: Path) -> None:
    pub = key.with_suffix(".pub")
    for name, words in (("alice", ()), ("bobby", ()), ("carol", ("--home", "alice")), ("david", ("--uid", "1000"))):
        assert run("user", "add", name, "--key", pub, *words).code == 0
    profiles = {name: _posix(there, name) for name in ("alice", "bobby", "carol", "david")}
    assert profiles["alice"] == profiles["carol"] != profiles["bobby"]
    # In OMERO.server's group is only who is OMERO.server.
    assert [name for name, profile in profiles.items() if profile["Gid"] == 1000] == ["david"]
    assert len({profiles[name]["Gid"] for name in ("alice", "bobby")}) == 2


def test_a_workspace_may_give_all_files_to_omero(there: Stage, key: Path) -> None:
    context = there.with_(**PUBLIC, uids="omero")
    user = users.requested(context, "alice", keys.read(key.with_suffix(".pub")))
    with changing() as changes:
        users.add(context, there.server["ServerId"], [user], changes)
    assert _posix(there, "alice") == {"Uid": 1000, "Gid": 1000}


def test_who_was_there_before_stays_as_he_was(there: Stage, run: Run, key: Path) -> None:
    """Earlier versions gave all files to OMERO.server, and with `--uid` its group to the sender."""
    pub = key.with_suffix(".pub")
    for name, uid in (("alice", 1000), ("bobby", 2000)):
        assert run("user", "add", name, "--key", pub, "--uid", str(uid)).code == 0
        profile = {"Uid": uid, "Gid": 1000}
        there.context.transfer.update_user(ServerId=there.server["ServerId"], UserName=name, PosixProfile=profile)
        (there.drop / name / "slide.svs").write_text("an image")
        owner = Owner(uid, 1000, 0o750)
        files.own(there.drop / name, owner)
        for words in ((), ("--uid", str(uid))):
            again = run("user", "add", name, "--key", pub, *words, "--json")
            assert (again.code, again.data["changes"]) == (0, [])
        assert _posix(there, name) == profile
        # A new user of the folder delivers as its owner, and the folder stays as it is.
        assert run("user", "remove", name, "--yes").code == 0
        assert run("user", "add", name, "--key", pub).code == 0
        assert _posix(there, name)["Uid"] == uid
        assert files.owner(there.drop / name) == owner


def test_refuses_without_an_endpoint(stage: Stage, run: Run, key: Path) -> None:
    for words in (("user", "list"), ("user", "add", "alice", "--key", key.with_suffix(".pub")), ("stop",), ("start",)):
        done = run(*words)
        assert done.code == 2
        assert "has no SFTP server yet; run `TF_WORKSPACE=" in done.err


KEYS: dict[str, tuple[str, str]] = {
    "empty": ("", "does not contain a public SSH key; create one with `ssh-keygen -t ed25519`"),
    "words": ("ssh-rsa hello", "does not contain a public SSH key"),
    "many": ("ssh-ed25519 AAAA\nssh-ed25519 BBBB\n", "holds 2 lines; give one public key"),
    "openssh private": ("-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET", "holds a private key"),
    "pem private": ("-----BEGIN RSA PRIVATE KEY-----\nSECRET", "holds a private key"),
    "encrypted private": ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nSECRET", "holds a private key"),
    "putty private": ("PuTTY-User-Key-File-3: ssh-ed25519\nSECRET", "holds a private key"),
    "large": ("x" * 20_000, "has 20000 bytes, too many for a public key"),
}


@pytest.mark.parametrize(("text", "said"), KEYS.values(), ids=KEYS)
def test_refuses_what_is_no_public_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(Refused, match=said) as caught:
        keys.read(path)
    assert "SECRET" not in str(caught.value)


def test_refuses_weak_and_strange_keys(tmp_path: Path) -> None:
    made: dict[str, dict[str, Any]] = {
        "an RSA key of 1024 bits; give one of 2048": {"alg_name": "ssh-rsa", "key_size": 1024},
        "a key of the type ssh-dss; allowed: ssh-rsa, ssh-ed25519": {"alg_name": "ssh-dss"},
        "a key of the type ssh-ed448; allowed": {"alg_name": "ssh-ed448"},
    }
    for said, what in made.items():
        path = tmp_path / "weak.pub"
        asyncssh.generate_private_key(**what).write_public_key(path)
        with pytest.raises(Refused, match=said):
            keys.read(path)


@pytest.mark.parametrize("form", ["openssh", "rfc4716", "pkcs8-pem"])
@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"])
def test_takes_the_formats_that_senders_have(tmp_path: Path, kind: str, form: str) -> None:
    made = asyncssh.generate_private_key(kind, comment="Jane Doe, room 4")
    path = tmp_path / "key.pub"
    made.write_public_key(path, form)
    if form == "pkcs8-pem":
        with pytest.raises(Refused):
            keys.read(path)
        return
    found = keys.read(path)
    assert (found.type, found.fingerprint) == (kind, made.get_fingerprint())
    assert found.body == " ".join(made.export_public_key().decode().split()[:2])


def _csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def _line() -> str:
    return asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()


def test_import_tells_every_fault_and_changes_nothing(there: Stage, run: Run, tmp_path: Path, key: Path) -> None:
    body = public(key).strip()
    rows = [
        {"name": "fine", "key": body, "key_file": "", "home": "", "uid": "", "read_only": "yes"},
        {"name": "no", "key": body, "key_file": "", "home": "", "uid": "", "read_only": ""},
        {"name": "keyless", "key": "", "key_file": "", "home": "", "uid": "", "read_only": ""},
        {"name": "fine", "key": "", "key_file": "alice.pub", "home": "", "uid": "", "read_only": ""},
        {"name": "private", "key": "", "key_file": "alice", "home": "", "uid": "", "read_only": ""},
        {"name": "numbers", "key": body, "key_file": "", "home": "", "uid": "one", "read_only": ""},
        {"name": "maybe", "key": body, "key_file": "", "home": "", "uid": "", "read_only": "maybe"},
    ]
    path = _csv(tmp_path / "users.csv", rows)
    done = run("user", "import", path)
    assert done.code == 2
    told = done.err.splitlines()
    assert len(told) == 6
    assert "line 3: the user name 'no' is not allowed" in told[0]
    assert "line 4: give either key or key_file" in told[1]
    assert "line 5: the user fine is already in line 2" in told[2]
    assert "line 6: " in told[3]
    assert "holds a private key" in told[3]
    assert "line 7: the uid 'one' is not a number" in told[4]
    assert "line 8: read_only is 'maybe'" in told[5]
    assert run("user", "list", "--json").data == []
    for text, said in (
        ("name,kee\n", "has the column 'kee'; allowed: name, key"),
        ("name\nalice\n", "needs the column key or key_file"),
        ("name,key\n", "has only column names"),
        ("name,key\nalice,x,y\n", "there are more values than columns"),
        (f"name,key,home,uid\nalice,{body},lab,1\nbobby,{body},lab,2\n", "line 3: the home lab is also that of alice"),
    ):
        path.write_text(text)
        assert said in run("user", "import", path).err


@pytest.mark.nightly
def test_a_thousand_users_under_throttling(
    sftp_files: Path, run_on: Callable[[Stage], Run], throttled: LocalAws, tmp_path: Path
) -> None:
    """AWS turns calls away above a rate, and nobody is lost; the list that is written comes back as it was."""
    stage = make_stage(throttled)
    stage.ensure(**PUBLIC)
    run = run_on(stage)
    rows = [{"name": f"sender-{number:04}", "key": _line(), "uid": 2000 + number} for number in range(1000)]
    path = _csv(tmp_path / "users.csv", rows)
    stage.fault(CreateUser=["ThrottlingException"] * 3)  # where the machine is slower than the rate
    done = run("user", "import", path, "--json")
    assert done.code == 0, done.err[-500:]
    assert (done.data["users"], done.data["added"]) == (1000, 1000)
    # The client slows down once it is turned away, so that there are a few only.
    assert throttled.log.read_text().count("transfer:CreateUser 400") > 2
    listed = run("user", "list", "--json").data
    assert listed == [{"name": row["name"], "read_only": False, "keys": 1} for row in rows]
    assert len(list(stage.drop.iterdir())) == 1000
    assert files.owner(stage.drop / "sender-0999") == Owner(2999, 1000, 0o2750)
    with calls(stage) as names:
        again = run("user", "import", _csv(tmp_path / "again.csv", rows[:20]), "--json")
    assert (again.code, again.data["added"], again.data["changes"]) == (0, 0, [])
    assert "CreateUser" not in names


def test_the_list_that_is_written_can_be_imported(there: Stage, run: Run, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"name": "alice", "key": _line(), "home": "lab/alice", "uid": "", "read_only": ""},
        {"name": "bobby", "key": _line(), "home": "", "uid": 2000, "read_only": "yes"},
    ]
    run("user", "import", _csv(tmp_path / "users.csv", rows))
    written = run("user", "list", "--csv").out
    path = tmp_path / "written.csv"
    path.write_text(written)
    assert run("user", "import", path, "--json").data["changes"] == []
    for name in ("alice", "bobby"):
        assert run("user", "remove", name, "--yes").code == 0
    assert run("user", "import", path, "--json").data["added"] == 2
    assert run("user", "list", "--csv").out == written


def test_goes_on_after_a_kill_at_every_call_of_user_add(there: Stage, key: Path) -> None:
    def add(name: str) -> None:
        user = users.requested(there.context, name, keys.read(key.with_suffix(".pub")), home=f"lab/{name}", uid=2000)
        with changing() as changes:
            users.add(there.context, there.server["ServerId"], [user], changes)

    def state(name: str) -> Any:
        found = users.shown(there.context, users.known(there.context, there.server["ServerId"], name))
        found["keys"] = [each["fingerprint"] for each in found["keys"]]
        text = json.dumps([found, str(files.owner(there.drop / "lab" / name))])
        return text.replace(name, "NAME")

    with calls(there) as names:
        add("first")
    undisturbed, total = state("first"), len(names)
    assert total >= 5
    for number in range(1, total + 1):
        name = f"user{number}"
        with calls(there, kill_after=number), suppress(Killed):
            add(name)
        add(name)
        assert state(name) == undisturbed, f"killed after call {number}, {names[number - 1]}"
        add(name)


def test_users_of_two_workspaces_do_not_meet(there: Stage, key: Path) -> None:
    other = make_stage(there.aws)
    other.ensure(**PUBLIC)
    user = users.requested(there.context, "alice", keys.read(key.with_suffix(".pub")))
    with changing() as changes:
        users.add(there.context, there.server["ServerId"], [user], changes)
    assert list(users.rows(other.context, other.server["ServerId"])) == []
    assert not (other.drop / "alice").exists()
    other.clear()
