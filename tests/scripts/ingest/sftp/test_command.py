"""`sftp` as a person runs it: test, status, stop, start, teardown, and every bad surrounding in one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest
import yaml
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from local_aws.testing.sftp import make_key
from scripts import aws
from scripts.ingest import deployment
from scripts.ingest.sftp import host_keys, logs, network, report, server
from scripts.ingest.sftp.context import find_server
from settings.load import ROOT
from tests.scripts.commands_help import DESTRUCTIVE
from tests.scripts.ingest.sftp.sftp_help import Killed, Ran, Stage, calls

Run = Callable[..., Ran]


def _test(there: Stage, run: Run, key: Path, *more: object, name: str = "alice") -> Ran:
    address = there.address
    where = ("--host", address["host"] or "127.0.0.1", "--port", address["port"] or 1)
    return run("test", name, "--key", key, *where, "--json", *more)


def test_ensure_says_where_it_is(stage: Stage, run: Run) -> None:
    done = run("ensure", "--json")
    assert done.code == 0
    server = stage.server["ServerId"]
    assert f"server {server} is ONLINE: {server}.server.transfer.eu-west-1.amazonaws.com, port 22" in done.err
    assert done.data["dry_run"] is False
    assert len(done.data["changes"]) > 5
    again = run("ensure", "--json")
    assert (again.data["changes"], "nothing to change" in again.err) == ([], True)
    kept = host_keys.read(stage.context)
    assert kept
    assert not [line for line in kept.private(0).splitlines() if line in done.out + done.err]
    assert "PRIVATE" not in repr(kept)


def test_test_delivers_and_cleans_up(there: Stage, run: Run, key: Path) -> None:
    done = _test(there, run, key, "--size-mib", 2)
    assert done.code == 0, done.err
    assert done.data["mib"] == 2
    assert done.data["upload_mib_s"] > 0
    assert "the host key is the right one" in done.err
    assert list((there.drop / "alice").iterdir()) == []
    reader = make_key(key.parent, "reader")
    run("user", "add", "reader", "--key", reader.with_suffix(".pub"), "--read-only")
    done = _test(there, run, reader, name="reader")
    assert (done.code, done.data["mib"]) == (0, None)
    assert "may only read, so nothing was delivered" in done.err


def test_test_says_what_is_wrong(there: Stage, run: Run, key: Path, tmp_path: Path) -> None:
    done = _test(there, run, make_key(tmp_path, "wrong"))
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "refused alice with the key" in done.err
    assert _test(there, run, key.with_suffix(".pub")).code == 2
    assert "user bobby does not exist" in _test(there, run, key, name="bobby").err
    closed = run("test", "alice", "--key", key, "--host", "127.0.0.1", "--port", 1)
    assert (closed.code, closed.err.count("\n")) == (1, 1)
    assert "127.0.0.1, port 1, cannot be reached" in closed.err
    # The home was taken away from the user on the file system.
    (there.drop / "alice").rmdir()
    done = _test(there, run, key)
    assert done.code == 1
    assert "alice logged in, but the session failed: No such file or directory" in done.err


def test_test_notices_a_foreign_host_key(there: Stage, run: Run, key: Path) -> None:
    transfer, server = there.context.transfer, there.server["ServerId"]
    ours = [row["HostKeyId"] for row in transfer.list_host_keys(ServerId=server)["HostKeys"]]
    body = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    transfer.import_host_key(ServerId=server, HostKeyBody=body)
    for id_ in ours:
        transfer.delete_host_key(ServerId=server, HostKeyId=id_)
    done = _test(there, run, key)
    assert done.code == 1
    assert "shows a host key that is not in Secrets Manager" in done.err
    assert run("ensure").code == 0
    assert _test(there, run, key).code == 0


def test_test_asks_for_a_passphrase(there: Stage, run: Run, tmp_path: Path) -> None:
    made = asyncssh.generate_private_key("ssh-ed25519")
    path = tmp_path / "locked"
    made.write_private_key(path, "pkcs8-pem", passphrase="correct horse")
    made.write_public_key(path.with_suffix(".pub"))
    run("user", "key", "add", "alice", "--key", path.with_suffix(".pub"))
    address = there.address
    words = ("test", "alice", "--key", path, "--host", address["host"], "--port", address["port"], "--size-mib", 1)
    wrong = run(*words, typed="wrong\n")
    assert (wrong.code, "the passphrase of" in wrong.err) == (2, True)
    done = run(*words, typed="correct horse\n")
    assert done.code == 0, done.err
    assert "correct horse" not in done.err + done.out


def test_status_tells_all(there: Stage, run: Run, key: Path) -> None:
    _test(there, run, key, "--size-mib", 1)
    shown = run("status", "--json")
    assert shown.code == 0, shown.err
    found = shown.data
    assert found["server"]["state"] == "ONLINE"
    assert found["server"]["users"] == 1
    assert found["folder"] == "/OMERO/SFTP"
    assert [each["fingerprint"] for each in found["host_keys"]] == [
        asyncssh.import_public_key(line).get_fingerprint() for line in there.address["host_keys"]
    ]
    assert found["last_activity"]["stream"].startswith("alice.")
    assert found["cost"]["usd_per_month"] == 219
    text = run("status").err
    for part in ("ONLINE", "1 user,", "admits: every address", "host key: SHA256:", "cost this month", "alice."):
        assert part in text


def test_cost_grows_with_the_hours_of_the_month(there: Stage) -> None:
    now = datetime.now(UTC)
    hour = report.collect(there.context, now + timedelta(hours=10))["cost"]
    assert hour["hours"] == pytest.approx(10, abs=0.2) or now.day == 1 or (now + timedelta(hours=10)).day == 1
    assert hour["usd"] == pytest.approx(hour["hours"] * report.PER_HOUR, abs=0.1)


def test_status_without_a_server(stage: Stage, run: Run) -> None:
    shown = run("status", "--json")
    assert (shown.code, shown.data["server"], shown.data["host_keys"]) == (1, None, [])
    assert (
        f"has no SFTP server; run `TF_WORKSPACE={stage.context.deployment.workspace.name} omero-aws sftp" in shown.err
    )


def test_stop_and_start(there: Stage, run: Run, key: Path) -> None:
    assert run("stop", "--dry-run").code == 0
    assert there.server["State"] == "ONLINE"
    assert run("stop", "--yes").code == 0
    assert "nothing to change" in run("stop").err
    shown = run("status")
    assert shown.code == 0
    assert "OFFLINE, on purpose; AWS still bills it" in shown.err
    assert "is OFFLINE; run `" in _test(there, run, key).err
    assert run("start").code == 0
    assert _test(there, run, key, "--size-mib", 1).code == 0
    there.fault(StopServer=["STOP_FAILED"])
    failed = run("stop", "--yes")
    assert failed.code == 1
    assert "is STOP_FAILED; see the AWS console for the reason" in failed.err
    assert run("status").code == 0  # it was meant to stop
    assert run("stop", "--yes").code == 0


def test_status_of_a_server_that_did_not_start(there: Stage, run: Run) -> None:
    there.context.transfer.stop_server(ServerId=there.server["ServerId"])
    there.fault(StartServer=["START_FAILED", "START_FAILED"])
    done = run("ensure")
    assert (done.code, "is START_FAILED; see the AWS console" in done.err) == (1, True)
    shown = run("status")
    assert shown.code == 1
    assert "START_FAILED; run `" in shown.err
    assert run("start").code == 1
    assert run("ensure").code == 0
    assert run("status").code == 0


def test_teardown_asks_and_keeps_what_senders_know(there: Stage, run: Run) -> None:
    (there.drop / "alice" / "slide").write_text("an image")
    before = sorted(there.address["host_keys"])
    name = there.context.deployment.workspace.name
    refused = run("teardown", typed="no\n")
    assert (refused.code, "'no' is not" in refused.err) == (2, True)
    planned = run("teardown", "--dry-run", "--json")
    assert len(planned.data["changes"]) == 5
    assert there.server["State"] == "ONLINE"
    done = run("teardown", typed=f"{name}\n")
    assert done.code == 0, done.err
    assert "deleted, with 1 user; their files stay" in done.err
    assert (there.drop / "alice" / "slide").read_text() == "an image"
    assert "nothing to change: there is no SFTP endpoint" in run("teardown", "--yes").err
    assert run("ensure").code == 0
    assert sorted(there.address["host_keys"]) == before


@pytest.mark.parametrize("words", [path for path in DESTRUCTIVE if path.startswith("sftp ")])
def test_destroys_nothing_without_a_terminal_and_without_yes(there: Stage, run: Run, words: str) -> None:
    user = run("user", "show", "alice", "--json").data
    given = {"alice": "alice", "KEY": user["keys"][0]["id"]}
    arguments = [given.get(word, word) for word in (*words.split()[1:], *DESTRUCTIVE[words])]
    refused = run(*arguments)
    assert (refused.code, refused.out) == (2, "")
    assert "There is no terminal to confirm this on, so nothing was changed" in refused.err
    assert there.server["State"] == "ONLINE"
    assert run("user", "show", "alice", "--json").data == user
    assert run(*arguments, "--dry-run").code == 0
    assert run("user", "show", "alice", "--json").data == user
    assert run(*arguments, "--yes").code == 0


def test_waits_while_an_endpoint_holds_its_server() -> None:
    said = [("InvalidRequestException", "Unable to delete VPC endpoint vpce-1"), None]

    class Transfer:
        def delete_server(self, **_: str) -> None:
            if error := said.pop(0):
                raise ClientError({"Error": {"Code": error[0], "Message": error[1]}}, "DeleteServer")

        def describe_server(self, **_: str) -> None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}, "DescribeServer")

    server._delete(SimpleNamespace(transfer=Transfer()), "s-1")  # type: ignore[arg-type]
    assert said == []


def test_teardown_of_everything_leaves_nothing(stage: Stage, run: Run) -> None:
    stage.ensure()  # with addresses and a security group
    assert run("teardown", "--yes", "--everything").code == 0
    name = stage.context.deployment.workspace.name
    assert network.addresses(stage.context) == []
    assert network.find_group(stage.context, stage.client("ec2")) is None
    assert host_keys.read(stage.context) is None
    assert logs._group(stage.client("logs"), stage.context.log_group_name) is None
    assert stage.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"omero-{name}")["MetricAlarms"] == []
    roles = [each["RoleName"] for each in stage.client("iam").list_roles()["Roles"]]
    assert [role for role in roles if role.startswith(f"omero-{name}-sftp-") and "folders" not in role] == []


def _lose_the_stacks(stage: Stage, tmp_path: Path) -> None:
    """As after `destroy`: nothing is published, and the section is out of the workspace's file."""
    name, ssm = stage.context.deployment.workspace.name, stage.client("ssm")
    for row in aws.rows(ssm, "get_parameters_by_path", "Parameters", Path=f"/omero/{name}", Recursive=True):
        ssm.delete_parameter(Name=row["Name"])
    path = tmp_path / "workspaces" / f"{name}.yaml"
    values = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({key: value for key, value in values.items() if key != "sftp"}))


def test_teardown_needs_neither_stacks_nor_section(stage: Stage, run: Run, tmp_path: Path) -> None:
    stage.ensure()
    _lose_the_stacks(stage, tmp_path)
    assert "is not deployed" in run("status").err
    done = run("teardown", "--yes", "--everything")
    assert done.code == 0, done.err
    assert find_server(stage.context) is None
    assert network.addresses(stage.context) == []
    assert network.find_group(stage.context, stage.client("ec2")) is None
    assert "nothing to change" in run("teardown", "--yes", "--everything").err


def test_teardown_reads_all_before_it_deletes(stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last thing that is read is denied: nothing is deleted by then."""
    stage.ensure()
    made = deployment.DeployedWorkspace.client

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeSecret")

    def client(self: deployment.DeployedWorkspace, service: str, **how: bool) -> Any:
        found = made(self, service, **how)
        found.meta.events.register("before-call.secrets-manager.DescribeSecret", refuse)
        return found

    with monkeypatch.context() as denied:
        denied.setattr(deployment.DeployedWorkspace, "client", client)
        done = run("teardown", "--yes", "--everything")
    assert (done.code, "AWS denied DescribeSecret" in done.err) == (1, True), done.err
    assert "Changes made before that" not in done.err
    assert stage.server["State"] == "ONLINE"
    assert len(network.addresses(stage.context)) == 2


def test_teardown_goes_on_after_a_kill_at_every_call(stage: Stage, run: Run) -> None:
    stage.ensure()
    number, done = 0, False
    while not done:
        number += 1
        with calls(stage, kill_after=number) as names, suppress(Killed):
            stage.clear()
            done = True
    assert number > 5, names
    assert run("status").code == 1
    assert network.find_group(stage.context, stage.client("ec2")) is None
    assert network.addresses(stage.context) == []


def test_refuses_what_is_not_deployed(stage: Stage, run: Run, tmp_path: Path) -> None:
    name = stage.context.deployment.workspace.name
    said = run("status", "-w", "nowhere")
    assert (said.code, "workspace nowhere is unknown" in said.err) == (2, True)
    path = tmp_path / "workspaces" / f"{name}.yaml"
    text = path.read_text()
    values = yaml.safe_load(text)
    path.write_text(yaml.safe_dump({key: value for key, value in values.items() if key != "sftp"}))
    said = run("ensure")
    assert (said.code, f"workspace {name} has no section sftp; add it" in said.err) == (2, True)
    path.write_text(text.replace("endpoint: public", "endpoint: public\n  folder: /OMERO/other"))
    said = run("ensure")
    assert (
        said.code,
        "sftp.folder is /OMERO/other in the workspace file, but /OMERO/SFTP is deployed" in said.err,
    ) == (
        2,
        True,
    )
    path.write_text(text)
    (tmp_path / "workspaces" / "empty.yaml").write_text(text)
    said = run("ensure", "-w", "empty")
    assert (said.code, "workspace empty is not deployed in account 123456789012" in said.err) == (2, True)
    path.write_text(text.replace("123456789012", "999999999999"))
    said = run("ensure")
    assert (said.code, "the AWS credentials belong to account 123456789012" in said.err) == (2, True)
    stage.client("ssm").delete_parameter(Name=f"/omero/{name}/network/log_key_arn")
    path.write_text(text)
    said = run("ensure")
    assert (said.code, "deploy its network stack first" in said.err) == (2, True)


def test_without_network_one_sentence(tmp_path: Path, run: Run) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "OMERO_WORKSPACES": os.environ["OMERO_WORKSPACES"],
        "TF_WORKSPACE": os.environ["TF_WORKSPACE"],
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "scripts.main", "sftp", "status"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: http://127.0.0.1:9/ cannot be reached; check the network")


def test_json_is_json_everywhere(there: Stage, run: Run) -> None:
    for words in (("ensure",), ("status",), ("stop", "--yes"), ("start",), ("user", "list"), ("user", "show", "alice")):
        done = run(*words, "--json")
        assert done.code == 0
        json.loads(done.out)


def test_what_aws_says_is_one_sentence(there: Stage, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(deployment.RETRIES, "patient", {"mode": "standard", "total_max_attempts": 2})
    there.fault(ListServers=["AccessDeniedException"])
    done = run("status")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "AWS denied transfer ListServers" in done.err
    assert "transfer:ListServers" in done.err
    there.fault(ListServers=["ThrottlingException"] * 2)
    done = run("user", "list")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "AWS throttled transfer ListServers at every attempt" in done.err


def test_expired_credentials_are_refused(there: Stage, run: Run) -> None:
    def expired(**_: object) -> Any:
        answer = AWSResponse("", 400, {}, None)  # type: ignore[arg-type]
        error = {"Code": "ExpiredTokenException", "Message": "The security token is expired"}
        return answer, {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}

    def session(*arguments: Any) -> Any:
        made = aws.session(*arguments)
        made.events.register("before-call.sts.GetCallerIdentity", expired)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deployment, "aws", SimpleNamespace(session=session, check_account=aws.check_account))
        done = run("ensure")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "the AWS credentials have expired (ExpiredTokenException" in done.err
