"""Before stacks are destroyed: what scripts made, and stands on them, is found whatever the workspace's file says."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.install import install
from scripts.deploy import preflight, script_made
from scripts.errors import Refused
from tests.scripts.deploy.state_help import answer, state_backend

install()
pytestmark = pytest.mark.usefixtures("mocked_aws")
TAGS = {"Workspace": "demo", "ManagedBy": "omero-aws sftp"}


def _server(**tags: str) -> str:
    made = state_backend().session.client("transfer")
    rows: Any = [{"Key": key, "Value": value} for key, value in {**TAGS, **tags}.items()]
    return str(
        made.create_server(Domain="EFS", IdentityProviderType="SERVICE_MANAGED", EndpointType="PUBLIC", Tags=rows)[
            "ServerId"
        ]
    )


@pytest.mark.parametrize("patterns", [["*"], ["network"], ["da*"], ["omero", "sftp"]])
def test_refuses_while_there_is_an_sftp_server(patterns: list[str]) -> None:
    id_ = _server()
    said = f"the SFTP server {id_}, which `omero-aws sftp` created, needs .*run `omero-aws sftp teardown -w demo` first"
    with pytest.raises(Refused, match=said):
        preflight.check_destroy(state_backend().workspace, patterns)


def test_does_not_mind_other_stacks_and_other_workspaces() -> None:
    _server(Workspace="prod")
    script_made.check(state_backend(), ["*"])
    _server()
    script_made.check(state_backend(), ["omero", "frontend"])


def test_refuses_while_there_is_a_fleet() -> None:
    session = state_backend().session
    ec2 = session.client("ec2")
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    session.client("appstream").create_fleet(
        Name="omero-demo-insight",
        InstanceType="stream.standard.small",
        FleetType="ELASTIC",
        Platform="AMAZON_LINUX2",
        MaxConcurrentSessions=1,
        VpcConfig={"SubnetIds": subnets, "SecurityGroupIds": [group]},
        Tags={"Workspace": "demo", "ManagedBy": "omero-aws appstream"},
    )
    with pytest.raises(Refused, match=r"AppStream fleet omero-demo-insight.*`omero-aws appstream teardown -w demo`"):
        script_made.check(state_backend(), ["network"])
    script_made.check(state_backend(), ["data"])


def test_what_aws_denies_keeps_nobody_from_destroying(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = state_backend()
    made = there.session.client

    def client(service: str, **more: Any) -> Any:
        found = made(service, **more)  # type: ignore[call-overload]
        answer(found, "ListServers", 400, '{"__type": "AccessDeniedException", "message": "no"}')
        return found

    monkeypatch.setattr(there.session, "client", client)
    script_made.check(there, ["sftp"])
    assert "could not check for any SFTP server" in capsys.readouterr().err
    with pytest.raises(ClientError):
        there.session.client("transfer").list_servers()
