"""Starting, stopping, and the answer to what is not there."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws.install import SERVICES, install
from local_aws.server import LocalAws, NotStarted
from local_aws.testing.ecs import Client, until

COMMAND = [sys.executable, "-m", "local_aws"]


def test_command_says_how_to_use_it_and_stops_cleanly(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with subprocess.Popen(
        [*COMMAND, "--state-file", str(state), "--region", "eu-central-1"], stderr=subprocess.PIPE, text=True
    ) as process:
        until(state.exists, seconds=30)
        written = json.loads(state.read_text())
        connection = http.client.HTTPConnection("127.0.0.1", written["port"], timeout=5)
        connection.request("GET", "/moto-api/")
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(signal.SIGTERM)
        _, printed = process.communicate(timeout=10)
    assert process.returncode == 0
    assert not state.exists()
    assert written == {
        "port": written["port"],
        "pid": process.pid,
        "endpoint": f"http://127.0.0.1:{written['port']}",
    }
    lines = printed.splitlines()
    assert f"export AWS_ENDPOINT_URL={written['endpoint']}" in lines
    for line in (
        "export AWS_ACCESS_KEY_ID=testing",
        "export AWS_SECRET_ACCESS_KEY=testing",
        "export AWS_REGION=eu-central-1",
        "export AWS_DEFAULT_REGION=eu-central-1",
        "export AWS_MAX_ATTEMPTS=1",
        "export AWS_EC2_METADATA_DISABLED=true",
    ):
        assert line in lines


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ({}, {"NO_PROXY": "127.0.0.1,localhost"}),
        ({"NO_PROXY": "lab.example, localhost"}, {"NO_PROXY": "lab.example,localhost,127.0.0.1"}),
        ({"no_proxy": "lab.example"}, {"no_proxy": "lab.example,127.0.0.1,localhost"}),
    ],
)
def test_no_proxy_stands_before_it(
    monkeypatch: pytest.MonkeyPatch, listed: dict[str, str], told: dict[str, str]
) -> None:
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name.startswith("AWS_"):
            monkeypatch.delenv(name)
    nobody = socket.socket()  # bound, and listening to nobody
    nobody.bind(("127.0.0.1", 0))
    for name in ("HTTP_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{nobody.getsockname()[1]}")
    for name, value in listed.items():
        monkeypatch.setenv(name, value)
    with LocalAws() as aws, nobody:
        for name, value in aws.environ().items():
            monkeypatch.setenv(name, value)
        assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"
        assert {name: value for name, value in aws.environ().items() if "proxy" in name.lower()} == told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--region", "nowhere"], "'nowhere' is no AWS region"),
        (["--state-file", "/missing/state.json"], "its folder does not exist"),
    ],
)
def test_refuses_what_cannot_be_used(arguments: list[str], sentence: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_refuses_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: port {port} cannot be used")
    assert len(done.stderr.splitlines()) == 1


def test_not_started_says_why() -> None:
    with pytest.raises(NotStarted, match=r"exit code 2 .*\n.*no AWS region"):
        LocalAws(region="nowhere").start()
    with pytest.raises(RuntimeError, match="does not run"):
        _ = LocalAws().endpoint


def test_listens_on_this_machine_only_and_stops_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys, os; from local_aws.server import LocalAws\n"
        "aws = LocalAws(); aws.start(); print(aws.endpoint, aws._process.pid, flush=True); os._exit(1)"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stdout
    endpoint, pid = printed.split()
    assert endpoint.startswith("http://127.0.0.1:")

    def is_gone() -> bool:
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z" if Path("/proc").exists() else False

    until(is_gone)


@pytest.mark.parametrize(
    ("service", "action", "arguments", "name"),
    [
        ("ecs", "start_task", {"taskDefinition": "x", "containerInstances": ["x"]}, "ecs:StartTask"),
        ("ecs", "list_services_by_namespace", {"namespace": "x"}, "ecs:ListServicesByNamespace"),
        ("rds", "describe_db_major_engine_versions", {}, "rds:DescribeDBMajorEngineVersions"),
        ("efs", "describe_account_preferences", {}, "efs:DescribeAccountPreferences"),
        ("storagegateway", "list_tapes", {}, "storagegateway:ListTapes"),
        ("devicefarm", "list_projects", {}, "devicefarm:ListProjects"),  # a service that moto has nothing of
        ("ec2", "describe_capacity_blocks", {}, "ec2:DescribeCapacityBlocks"),
    ],
)
def test_gap_answers_at_once_by_its_name(
    client: Client, aws: LocalAws, service: str, action: str, arguments: dict[str, object], name: str
) -> None:
    began = time.monotonic()
    with pytest.raises(ClientError) as caught:
        getattr(client(service), action)(**arguments)
    assert time.monotonic() - began < 10
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert caught.value.response["Error"]["Message"] == f"local AWS does not implement {name}"
    assert f"NotImplemented: local AWS does not implement {name}" in aws.log.read_text()


def test_environment_is_all_a_client_needs(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environ().items():
        monkeypatch.setenv(name, value)
    assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_installing_twice_changes_nothing() -> None:
    program = (
        "from local_aws.install import install; install()\n"
        "from moto.ecs.responses import EC2ContainerServiceResponse as R; first = R.describe_clusters; install()\n"
        "assert R.describe_clusters is first"
    )
    assert SERVICES
    assert callable(install)
    subprocess.run([sys.executable, "-c", program], check=True)


def test_connection_is_kept_for_the_next_request(aws: LocalAws) -> None:
    host, _, port = aws.endpoint.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.request("GET", "/moto-api/")
    connection.getresponse().read()
    first = connection.sock
    connection.request("GET", "/moto-api/")
    assert connection.getresponse().status == 200
    assert connection.sock is first is not None
    connection.close()


def test_headers_and_body_arrive_together(aws: LocalAws) -> None:
    host, _, port = aws.endpoint.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for _ in range(20):
            connection.sendall(b"GET /moto-api/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            headers, _, body = connection.recv(2**20).partition(b"\r\n\r\n")
            assert b"Content-Length: %d" % len(body) in headers
            assert body


@pytest.mark.parametrize("body", [b"", b"x", b"x" * 3_000_000])
def test_object_is_stored_by_a_client_that_asks_whether_to_go_on(client: Client, body: bytes) -> None:
    s3 = client("s3")
    bucket, key = f"goes-on-{len(body)}", "a/b %2F 100%.t ä'"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [each["Key"] for each in s3.list_object_versions(Bucket=bucket)["Versions"]] == [key]
