"""The commands as a person runs them, and people in the user pool."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from local_aws.services.appstream import images, stacks
from local_aws.services.appstream.models import FAULTS
from scripts import console
from scripts.errors import Failed, Refused
from scripts.ingest import deployment
from scripts.ingest.appstream import command as appstream
from scripts.ingest.appstream import lifecycle, users
from scripts.ingest.appstream.users import Person
from settings import Workspace
from tests.conftest import workspace
from tests.scripts.commands_help import DESTRUCTIVE
from tests.scripts.ingest.appstream.appstream_help import ACCOUNT, Make, backend, deployed, section, with_kills

Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def run(lab: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs `appstream ARGUMENTS` on the workspace `lab`; gives the exit code, stdout and stderr."""

    def running(*arguments: str, settings: Workspace | None = None) -> tuple[object, str, str]:
        monkeypatch.setattr(deployment, "load", lambda name: settings or deployed(tmp_path))
        monkeypatch.setattr(sys, "argv", ["appstream", *arguments])
        with pytest.raises(SystemExit) as left:
            console.run(appstream.app)
        return left.value.code, *capsys.readouterr()

    return running


def test_from_nothing_to_a_session_and_back(run: Run) -> None:
    code, out, err = run("ensure", "--dry-run")
    assert (code, out) == (0, "")
    assert "would be done: fleet omero-lab-insight: created (ELASTIC, stream.standard.large)" in err
    code, out, err = run("status", "--json")
    assert (code, json.loads(out)["fleet"]) == (1, None)
    assert "is not usable (there is no fleet; there is no stack); run `omero-aws appstream ensure -w lab`" in err
    code, _, err = run("url", "ada")
    assert (code, "the fleet omero-lab-insight is not there" in err) == (2, True)

    assert run("ensure")[0] == 0
    assert "nothing to change: AppStream of workspace lab is up to date." in run("ensure")[2]
    code, out, err = run("url", "ada", "--valid-minutes", "90")
    assert (code, out.count("\n")) == (0, 1)
    stacks.open_session(backend(), out.strip())
    code, out, _ = run("status", "--json")
    found = json.loads(out)
    assert found["preset"]["host"] == "server.lab.omero.internal"
    assert found["cost"] == {
        "billed_instances": 1,
        "billed_for": "every session",
        "usd_an_hour": None,
        "usd_a_month": None,
    }
    code, out, err = run("status")
    assert (code, out) == (0, "")
    for part in ("RUNNING", "1 of 2 sessions", "ada", "server.lab.omero.internal:4064", "hourly_usd"):
        assert part in " ".join(err.split())

    code, _, err = run("teardown", "--yes")
    assert (code, "1 sessions are open (ada)" in err) == (2, True)
    code, _, err = run("teardown", "--end-sessions", "--dry-run")
    assert "would be done: fleet omero-lab-insight: deleted" in err
    assert run("fleet", "stop", "--end-sessions", "--yes")[0] == 0
    assert run("fleet", "start")[0] == 0
    assert run("fleet", "scale", "3")[0] == 0
    assert "MaxConcurrentSessions set" in run("fleet", "ensure")[2]
    assert "nothing to change" in run("stack", "ensure")[2]
    assert "nothing to change" in run("app-block")[2]
    code, _, err = run("teardown", "--yes")
    assert code == 0
    assert "kept: home folders in appstream2-36fb080bb8-" in err


def test_costs_with_a_price(run: Run, lab: Make) -> None:
    priced: dict[str, Any] = {"fleet": {"hourly_usd": 0.2}}
    lifecycle.ensure(lab(**priced))
    for user in ("ada", "bob"):
        asked = {"StackName": "omero-lab-insight", "FleetName": "omero-lab-insight", "UserId": user}
        stacks.open_session(backend(), lab().client.create_streaming_url(**asked)["StreamingURL"])
    assert lifecycle.status(lab(**priced))["cost"] == {
        "billed_instances": 2,
        "billed_for": "every session",
        "usd_an_hour": 0.4,
        "usd_a_month": 292.0,
    }


@pytest.mark.parametrize("words", [path for path in DESTRUCTIVE if path.startswith("appstream ")])
def test_destroys_nothing_without_a_terminal_and_without_yes(run: Run, lab: Make, words: str) -> None:
    assert run("ensure")[0] == 0
    assert run("user", "add", "ada@example.org")[0] == 0
    stacks.open_session(backend(), run("url", "ada")[1].strip())
    home = f"appstream2-36fb080bb8-{lab().region}-{ACCOUNT}"
    s3 = lab().deployment.client("s3")
    (folder, _) = lifecycle.home_folders(lab(), "ada@example.org")
    s3.put_object(Bucket=home, Key=f"{folder}thesis.docx", Body=b"x")

    def there() -> Any:
        (fleet,) = lab().client.describe_fleets()["Fleets"]
        return fleet["State"], users.members(lab()), s3.list_objects_v2(Bucket=home)["KeyCount"]

    before = there()
    arguments = (*words.split()[1:], *DESTRUCTIVE[words])
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "There is no terminal to confirm this on, so nothing was changed" in err
    assert there() == before
    assert run(*arguments, "--dry-run")[0] == 0
    assert there() == before
    code, out, err = run(*arguments, "--yes", "--json")
    assert code == 0, err
    assert json.loads(out)["dry_run"] is False


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("image",), "give either --from-ami AMI or --builder"),
        (("image", "--builder", "--from-ami", "ami-0123456789abcdef0"), "give either"),
        (("image", "--from-ami", "i-0123"), "i-0123 is not an AMI id; one looks like ami-0123456789abcdef0"),
        (("image", "--builder", "--name", "a b"), "a b is not an image name"),
        (("url", "a"), "'a' is not a user id"),
        (("url", "x" * 33), "give 2 to 32"),
        (("user", "add", "ada@example.org"), "has no stack omero-lab-insight; run `appstream ensure`"),
        (("user", "remove", "ada@example.org", "--yes"), "ada@example.org is not in the user pool of eu-central-1"),
        (("fleet", "stop"), "has no fleet omero-lab-insight"),
    ],
)
def test_refuses_in_one_sentence_and_changes_nothing(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("error:") == 1


def test_refuses_a_workspace_without_the_section(run: Run) -> None:
    code, _, err = run("ensure", settings=workspace(account_id=ACCOUNT))
    assert (code, "workspace lab has no section appstream" in err) == (2, True)


def test_the_builder_gives_url_and_script_to_stdout(run: Run, tmp_path: Path) -> None:
    code, out, err = run("image", "--builder", "--name", "insight-1", "--no-wait")
    assert code == 0
    url, _, script = out.partition("\n")
    assert "paste the script" in err
    images.paste(backend(), url, script)
    code, out, err = run("image", "--builder", "--name", "insight-1")
    assert (code, out) == (0, "")
    assert "image builder omero-lab-insight-builder: stopped and deleted" in err
    fleet = {"type": "ON_DEMAND", "image": "insight-1", "sessions": 1, "hourly_usd": 0.2}
    settings = workspace(account_id=ACCOUNT, appstream=section(tmp_path, fleet=fleet))
    assert run("ensure", settings=settings)[0] == 0
    assert json.loads(run("status", "--json", settings=settings)[1])["images"] == [
        {"name": "insight-1", "state": "AVAILABLE", "reasons": None}
    ]


def test_people_of_a_file_are_added_25_at_a_time(run: Run, lab: Make, tmp_path: Path) -> None:
    run("stack", "ensure")
    file = tmp_path / "people.csv"
    lines = [f"u{number}@example.org, Ada, Love-lace" for number in range(30)]
    file.write_text("\n".join(["\ufeffemail, first_name, last_name", *lines]), encoding="utf-8")
    assert run("user", "import", str(file), "--dry-run")[0] == 0
    assert users.pool(lab()) == []
    code, _, err = run("user", "import", str(file), "--no-email")
    assert code == 0
    assert err.count("access granted to") == 2
    assert len(users.members(lab())) == 30
    assert "nothing to change: all 30 users" in run("user", "import", str(file))[2]
    code, out, _ = run("user", "list", "--json")
    assert json.loads(out)[0] == {
        "email": "u0@example.org",
        "name": "Ada Love-lace",
        "sees_the_stack": True,
        "enabled": True,
        "status": "FORCE_CHANGE_PASSWORD",
    }
    assert "u29@example.org" in run("user", "list")[2]


def test_all_faults_of_a_file_are_told_at_once(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email,first_name\nada,Ada\nbob@example.org,Jürgen\nBOB@example.org,\n", encoding="utf-8")
    code, _, err = run("user", "import", str(file))
    assert code == 2
    assert err.count("error:") == 3
    for part in (
        "line 2: 'ada' is not an e-mail",
        "line 3: the first name 'Jürgen'",
        "bob@example.org and BOB@example.org",
    ):
        assert part in err
    file.write_text("mail\nada@example.org\n")
    assert "has the column 'mail'; allowed: email, first_name, last_name" in run("user", "import", str(file))[2]
    file.write_text("email\n")
    assert "has only column names" in run("user", "import", str(file))[2]
    assert "cannot be read" in run("user", "import", str(tmp_path / "none.csv"))[2]


def test_refuses_somebody_who_is_there_in_other_case(run: Run, lab: Make) -> None:
    run("stack", "ensure")
    assert run("user", "add", "Ada@example.org")[0] == 0
    code, _, err = run("user", "add", "ada@example.org")
    assert (code, "ada@example.org is in the user pool as Ada@example.org" in err) == (2, True)
    code, _, err = run("user", "remove", "ada@example.org", "--yes")
    assert (code, "there is Ada@example.org, and AppStream distinguishes upper and lower case" in err) == (2, True)
    assert [each["UserName"] for each in users.pool(lab())] == ["Ada@example.org"]
    assert run("user", "resend", "ada@example.org")[0] == 2
    assert "e-mail requested from AWS again" in run("user", "resend", "Ada@example.org")[2]


def test_somebody_of_another_stack_stays_in_the_pool(run: Run, lab: Make) -> None:
    run("stack", "ensure")
    for name in ("ada@example.org", "bob@example.org"):
        assert run("user", "add", name)[0] == 0
    lab().client.create_stack(Name="theirs")
    pair = {"StackName": "theirs", "UserName": "ada@example.org", "AuthenticationType": "USERPOOL"}
    lab().client.batch_associate_user_stack(UserStackAssociations=[pair])
    code, _, err = run("user", "remove", "ada@example.org", "--yes")
    assert (code, "stays in the pool, for the stack theirs" in err) == (0, True)
    assert run("user", "remove", "bob@example.org", "--yes")[0] == 0
    assert [each["UserName"] for each in users.pool(lab())] == ["ada@example.org"]
    assert users.members(lab()) == []


def test_failures_within_a_200_are_told(run: Run, lab: Make) -> None:
    run("stack", "ensure")
    FAULTS.add("BatchAssociateUserStack", "DIRECTORY_NOT_FOUND")
    people = [Person(email="ada@example.org"), Person(email="bob@example.org")]
    with pytest.raises(Failed, match=r"did not accept 1 of 2 users: ada@example\.org \(DIRECTORY_NOT_FOUND"):
        users.add(lab(), people)
    assert users.members(lab()) == ["bob@example.org"]
    users.add(lab(), people)
    assert users.members(lab()) == ["ada@example.org", "bob@example.org"]


def test_people_are_added_and_removed_across_kills(run: Run, lab: Make) -> None:
    run("stack", "ensure")
    people = [Person(email="ada@example.org"), Person(email="bob@example.org")]
    with_kills(lambda appstream_context: users.add(appstream_context, people), lab)
    assert users.members(lab()) == ["ada@example.org", "bob@example.org"]

    def remove(appstream_context: Any) -> None:
        with suppress(Refused):  # "is not in the user pool", as one sees who runs it once more
            users.remove(appstream_context, "ada@example.org")

    with_kills(remove, lab)
    assert users.members(lab()) == ["bob@example.org"]
