"""Transfer Family's control plane: servers and their states, users, keys, and what AWS refuses."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client, Network, until
from local_aws.testing.faults import ask

ROLE = "arn:aws:iam::123456789012:role/sftp"
POSIX = {"Uid": 1000, "Gid": 1000}
HOME = {
    "HomeDirectoryType": "LOGICAL",
    "HomeDirectoryMappings": [{"Entry": "/", "Target": "/fs-12345678/drop/${transfer:UserName}"}],
}


def _key(kind: str = "ssh-ed25519", **more: Any) -> asyncssh.SSHKey:
    return asyncssh.generate_private_key(kind, **more)


def _public(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode()


def _once(aws: LocalAws) -> Any:
    """A client that does not try again."""
    session: Any = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=aws.region)
    config = Config(retries={"total_max_attempts": 1})
    return session.client("transfer", endpoint_url=aws.endpoint, config=config)


def _private(key: asyncssh.SSHKey) -> str:
    """In the form that AWS takes: PEM, but for ED25519."""
    form = "openssh" if key.get_algorithm() == "ssh-ed25519" else "pkcs1-pem"
    return str(key.export_private_key(form).decode())


def _refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**request)
    error = raised.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def _error(call: Callable[..., Any], **request: Any) -> str:
    """The code of a call's error, empty if it has none."""
    try:
        call(**request)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.fixture
def transfer(client: Client) -> Any:
    return client("transfer")


@pytest.fixture
def server(transfer: Any) -> str:
    return str(transfer.create_server(Domain="EFS")["ServerId"])


def _state(transfer: Any, server: str) -> str:
    return str(transfer.describe_server(ServerId=server)["Server"]["State"])


def _is(transfer: Any, server: str, state: str) -> None:
    until(lambda: _state(transfer, server) == state)


def test_server_starts_stops_and_starts(transfer: Any, server: str) -> None:
    _is(transfer, server, "ONLINE")
    shown = transfer.describe_server(ServerId=server)["Server"]
    assert shown["Domain"] == "EFS"
    assert shown["SecurityPolicyName"] == "TransferSecurityPolicy-2024-01"
    assert "EndpointDetails" not in shown
    transfer.start_server(ServerId=server)  # no impact
    assert _state(transfer, server) == "ONLINE"
    transfer.stop_server(ServerId=server)
    assert _state(transfer, server) == "STOPPING"
    assert _refused(transfer.update_server, ServerId=server)[0] == "ConflictException"
    _is(transfer, server, "OFFLINE")
    transfer.start_server(ServerId=server)
    _is(transfer, server, "ONLINE")
    again = transfer.describe_server(ServerId=server)["Server"]
    assert again["HostKeyFingerprint"] == shown["HostKeyFingerprint"]
    assert server in [each["ServerId"] for each in transfer.get_paginator("list_servers").paginate().search("Servers")]
    transfer.delete_server(ServerId=server)
    assert _refused(transfer.describe_server, ServerId=server) == ("ResourceNotFoundException", "Unknown server")


def test_domain_left_out_is_s3(transfer: Any) -> None:
    server = transfer.create_server()["ServerId"]
    shown = transfer.describe_server(ServerId=server)["Server"]
    assert (shown["Domain"], shown["EndpointType"], shown["Protocols"]) == ("S3", "PUBLIC", ["SFTP"])
    transfer.delete_server(ServerId=server)


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({"SecurityPolicyName": "TransferSecurityPolicy-2099-01"}, "InvalidRequestException", "Unknown security"),
        ({"Domain": "NFS"}, "ValidationException", "enum value set: [S3, EFS]"),
        ({"LoggingRole": "nobody"}, "ValidationException", "at 'loggingRole' failed"),
        ({"HostKey": "nonsense"}, "InvalidRequestException", "host key"),
        ({"EndpointType": "VPC_ENDPOINT"}, "InvalidRequestException", "VPC_ENDPOINT"),
        ({"EndpointDetails": {"VpcId": "vpc-1"}}, "InvalidRequestException", "EndpointType: PUBLIC"),
        ({"EndpointType": "VPC"}, "InvalidRequestException", "VpcId is required"),
        (
            {"EndpointType": "VPC", "EndpointDetails": {"VpcId": "vpc-1"}},
            "InvalidRequestException",
            "The vpc ID 'vpc-1' does not exist",
        ),
        (
            {"EndpointType": "VPC", "EndpointDetails": {"AddressAllocationIds": ["eipalloc-1"]}},
            "InvalidRequestException",
            "AddressAllocationIds cannot be set in CreateServer",
        ),
        (
            {"StructuredLogDestinations": ["arn:aws:logs:eu-west-1:123456789012:log-group:/none:*"]},
            "InvalidRequestException",
            "does not exist",
        ),
        (
            {"StructuredLogDestinations": ["arn:aws:logs:eu-west-1:123456789012:log-group:/none"]},
            "InvalidRequestException",
            "Invalid structured log destination",
        ),
        ({"Protocols": ["FTP"]}, "NotImplemented", "does not implement"),
        ({"IdentityProviderType": "AWS_LAMBDA"}, "NotImplemented", "does not implement"),
    ],
)
def test_refuses_a_server(transfer: Any, request_: dict[str, Any], code: str, message: str) -> None:
    found = _refused(transfer.create_server, **request_)
    assert found[0] == code
    assert message in found[1]


def test_vpc_endpoint_and_its_addresses(client: Client, network: Network, transfer: Any) -> None:
    ec2 = client("ec2")
    addresses = [ec2.allocate_address(Domain="vpc")["AllocationId"] for _ in range(2)]
    details = {"VpcId": network.vpc, "SubnetIds": network.subnets, "SecurityGroupIds": [network.group]}
    server = transfer.create_server(Domain="EFS", EndpointType="VPC", EndpointDetails=details)["ServerId"]
    _is(transfer, server, "ONLINE")

    def update(**changed: Any) -> Any:
        return _refused(transfer.update_server, ServerId=server, **changed)[1]

    wanted = {"AddressAllocationIds": addresses}
    assert update() == "VPC Endpoint state is not yet available"
    while update(EndpointDetails=wanted) == "VPC Endpoint state is not yet available":
        time.sleep(0.1)
    shown = transfer.describe_server(ServerId=server)["Server"]["EndpointDetails"]
    assert shown["SubnetIds"] == network.subnets
    assert "SecurityGroupIds" not in shown  # AWS tells them with the endpoint alone
    endpoint = ec2.describe_vpc_endpoints(VpcEndpointIds=[shown["VpcEndpointId"]])["VpcEndpoints"][0]
    assert [each["GroupId"] for each in endpoint["Groups"]] == [network.group]
    assert endpoint["ServiceName"] == "com.amazonaws.eu-west-1.transfer.server"

    assert update(EndpointDetails=wanted) == "Server must be OFFLINE to change AddressAllocationIds"
    assert update(EndpointType="PUBLIC") == "Server must be OFFLINE to change EndpointType"
    assert update(EndpointDetails={"SecurityGroupIds": [network.group]}) == "Changing Security Group is not supported"
    transfer.stop_server(ServerId=server)
    _is(transfer, server, "OFFLINE")
    assert "must be equal" in update(EndpointDetails={"AddressAllocationIds": addresses[:1]})
    assert "duplicates" in update(EndpointDetails={"AddressAllocationIds": addresses[:1] * 2})
    assert "does not exist" in update(EndpointDetails={"AddressAllocationIds": [addresses[0], "eipalloc-0"]})
    assert "Specified SubnetIds must exist" in update(EndpointDetails={**wanted, "SubnetIds": network.subnets[:1]})
    transfer.update_server(ServerId=server, EndpointDetails=wanted)
    transfer.start_server(ServerId=server)
    _is(transfer, server, "ONLINE")
    shown = transfer.describe_server(ServerId=server)["Server"]["EndpointDetails"]
    assert shown["AddressAllocationIds"] == addresses
    assert all(each.get("AssociationId") for each in ec2.describe_addresses(AllocationIds=addresses)["Addresses"])
    refusal = "AddressAllocationIds must be removed before SubnetIds can be modified"
    assert update(EndpointDetails={"SubnetIds": network.subnets[:1]}) == refusal

    transfer.delete_server(ServerId=server)
    assert not any(each.get("AssociationId") for each in ec2.describe_addresses(AllocationIds=addresses)["Addresses"])
    for each in addresses:
        ec2.release_address(AllocationId=each)


def test_user_is_read_back_changed_and_removed(transfer: Any, server: str) -> None:
    key = _key()
    names = {"ServerId": server, "UserName": "dr.who@example_1"}
    tags = [{"Key": "a", "Value": "b"}]
    transfer.create_user(
        **names, Role=ROLE, PosixProfile=POSIX, **HOME, SshPublicKeyBody=f" {_public(key)} \n", Tags=tags
    )
    user = transfer.describe_user(**names)["User"]
    assert user["HomeDirectoryMappings"] == HOME["HomeDirectoryMappings"]
    assert user["PosixProfile"] == POSIX
    assert user["Tags"] == tags
    assert user["SshPublicKeys"][0]["SshPublicKeyBody"] == _public(key).strip()
    assert abs(user["SshPublicKeys"][0]["DateImported"].timestamp() - time.time()) < 60
    assert _refused(transfer.create_user, **names, Role=ROLE, PosixProfile=POSIX)[0] == "ResourceExistsException"
    assert transfer.describe_server(ServerId=server)["Server"]["UserCount"] == 1

    transfer.update_user(**names, PosixProfile={"Uid": 5, "Gid": 6, "SecondaryGids": [7]})
    transfer.update_user(**names, HomeDirectoryType="PATH", HomeDirectory="/fs-12345678/x")
    user = transfer.describe_user(**names)["User"]
    assert (user["HomeDirectoryType"], user["HomeDirectory"]) == ("PATH", "/fs-12345678/x")
    assert "HomeDirectoryMappings" not in user
    assert user["PosixProfile"] == {"Uid": 5, "Gid": 6, "SecondaryGids": [7]}
    listed = transfer.list_users(ServerId=server)["Users"]
    assert [(each["UserName"], each["SshPublicKeyCount"]) for each in listed] == [(names["UserName"], 1)]

    transfer.delete_user(**names)
    for call in (transfer.describe_user, transfer.delete_user, transfer.update_user):
        with pytest.raises(ClientError) as raised:
            call(**names)
        answer: Any = raised.value.response
        assert answer["Error"]["Code"] == "ResourceNotFoundException"
        assert (answer["ResourceType"], answer["Resource"]) == ("User", names["UserName"])
    transfer.delete_server(ServerId=server)


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        ({"UserName": "no spaces"}, "ValidationException", "at 'userName' failed to satisfy constraint"),
        ({"UserName": "-dash"}, "ValidationException", "regular expression pattern"),
        ({"UserName": "x" * 101}, "ValidationException", "length less than or equal to 100"),
        ({"UserName": "jörg"}, "ValidationException", "regular expression pattern"),
        ({"Role": "arn:aws:iam::123456789012:user/me"}, "ValidationException", "at 'role' failed"),
        ({"PosixProfile": None}, "InvalidRequestException", "PosixProfile is required"),
        ({"PosixProfile": {"Uid": 2**32, "Gid": 1}}, "ValidationException", "at 'posixProfile.uid' failed"),
        ({"HomeDirectoryType": "PATH"}, "InvalidRequestException", "LOGICAL"),
        ({"HomeDirectoryMappings": None}, "InvalidRequestException", "is required"),
        ({"HomeDirectory": "relative"}, "ValidationException", "at 'homeDirectory' failed"),
        (
            {"HomeDirectoryMappings": [{"Entry": "/", "Target": "/fs-1/a"}, {"Entry": "/b", "Target": "/fs-1/b"}]},
            "InvalidRequestException",
            "Overlapping",
        ),
        (
            {"HomeDirectoryMappings": [{"Entry": "/", "Target": "/fs-1/a/"}]},
            "InvalidRequestException",
            "must not end with a slash",
        ),
        ({"SshPublicKeyBody": "ssh-rsa AAAA"}, "InvalidRequestException", "Unsupported or invalid SSH public key"),
        ({"SshPublicKeyBody": "ssh-dss AAAA x"}, "InvalidRequestException", "Unsupported or invalid SSH public key"),
        ({"SshPublicKeyBody": "-----BEGIN"}, "ValidationException", "at 'sshPublicKeyBody' failed"),
        ({"ServerId": "s-00000000000000000"}, "ResourceNotFoundException", "Unknown server"),
        ({"ServerId": "s-" + "x" * 17}, "ValidationException", "at 'serverId' failed"),
    ],
)
def test_refuses_a_user(transfer: Any, server: str, changed: dict[str, Any], code: str, message: str) -> None:
    request = {"ServerId": server, "UserName": "alice", "Role": ROLE, "PosixProfile": POSIX, **HOME, **changed}
    found = _refused(transfer.create_user, **{name: value for name, value in request.items() if value is not None})
    transfer.delete_server(ServerId=server)
    assert found[0] == code
    assert message in found[1]


def test_public_keys_of_a_user(transfer: Any, server: str) -> None:
    names = {"ServerId": server, "UserName": "alice"}
    transfer.create_user(**names, Role=ROLE, PosixProfile=POSIX, **HOME)
    keys = [_key("ssh-rsa", key_size=2048), _key("ecdsa-sha2-nistp256"), *(_key() for _ in range(8))]
    ids = [transfer.import_ssh_public_key(**names, SshPublicKeyBody=_public(key))["SshPublicKeyId"] for key in keys]
    again = _refused(transfer.import_ssh_public_key, **names, SshPublicKeyBody=_public(keys[0]).strip() + " x y")
    assert again[0] == "ResourceExistsException"
    more = _refused(transfer.import_ssh_public_key, **names, SshPublicKeyBody=_public(_key()))
    assert more == ("InvalidRequestException", "A user has at most 10 SSH public keys")
    weak = _refused(transfer.import_ssh_public_key, **names, SshPublicKeyBody=_public(_key("ssh-rsa", key_size=1024)))
    assert weak[0] == "InvalidRequestException"
    private = _refused(transfer.import_ssh_public_key, **names, SshPublicKeyBody=_private(_key()))
    assert private[0] == "ValidationException"
    transfer.delete_ssh_public_key(**names, SshPublicKeyId=ids[0])
    gone = _refused(transfer.delete_ssh_public_key, **names, SshPublicKeyId=ids[0])
    assert gone[0] == "ResourceNotFoundException"
    shown = transfer.describe_user(**names)["User"]["SshPublicKeys"]
    assert [each["SshPublicKeyId"] for each in shown] == ids[1:]
    transfer.delete_server(ServerId=server)


def test_host_keys_of_a_server(transfer: Any) -> None:
    first, second = _key(), _key("ssh-rsa", key_size=2048)
    server = transfer.create_server(Domain="EFS", HostKey=_private(first))["ServerId"]
    shown = transfer.describe_server(ServerId=server)["Server"]["HostKeyFingerprint"]
    assert shown.rstrip("=") == first.get_fingerprint()
    assert shown.endswith("=")  # which ssh-keygen leaves out
    added = transfer.import_host_key(
        ServerId=server, HostKeyBody=_private(second), Description="next", Tags=[{"Key": "a", "Value": "b"}]
    )["HostKeyId"]
    refused = _refused(transfer.import_host_key, ServerId=server, HostKeyBody=_private(second))
    assert refused[0] == "ResourceExistsException"
    names = {"ServerId": server, "HostKeyId": added}
    listed = transfer.list_host_keys(ServerId=server, MaxResults=1)
    assert listed["HostKeys"][0]["Type"] == "ssh-ed25519"
    listed = transfer.list_host_keys(ServerId=server, MaxResults=1, NextToken=listed["NextToken"])
    (key,) = listed["HostKeys"]
    assert (key["HostKeyId"], key["Type"], key["Description"]) == (added, "ssh-rsa", "next")
    assert key["Fingerprint"].rstrip("=") == second.get_fingerprint()
    wrong = _refused(transfer.list_host_keys, ServerId=server, NextToken="?")
    assert wrong[0] == "InvalidNextTokenException"

    _is(transfer, server, "ONLINE")
    third = _key("ecdsa-sha2-nistp256")
    transfer.update_server(ServerId=server, HostKey=_private(third))
    shown = transfer.describe_server(ServerId=server)["Server"]["HostKeyFingerprint"]
    assert shown.rstrip("=") == third.get_fingerprint()
    transfer.delete_host_key(**names)
    assert _refused(transfer.delete_host_key, **names)[0] == "ResourceNotFoundException"
    last = transfer.list_host_keys(ServerId=server)["HostKeys"][0]["HostKeyId"]
    refused = _refused(transfer.delete_host_key, ServerId=server, HostKeyId=last)
    assert refused[0] == "InvalidRequestException"
    transfer.delete_server(ServerId=server)


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("ssh-rsa", "openssh"),
        ("ssh-rsa", "pkcs8-pem"),
        ("ecdsa-sha2-nistp256", "openssh"),
        ("ssh-ed25519", "pkcs8-pem"),
    ],
)
def test_refuses_a_host_key_in_another_form(transfer: Any, server: str, kind: str, form: str) -> None:
    body = _key(kind).export_private_key(form).decode()
    refused = _refused(transfer.import_host_key, ServerId=server, HostKeyBody=body)
    assert refused == ("InvalidRequestException", "Unsupported or invalid host key format")


def test_tags_of_server_and_user(transfer: Any, server: str) -> None:
    transfer.create_user(ServerId=server, UserName="alice", Role=ROLE, PosixProfile=POSIX, **HOME)
    user = transfer.describe_user(ServerId=server, UserName="alice")["User"]["Arn"]
    for arn in (transfer.describe_server(ServerId=server)["Server"]["Arn"], user):
        transfer.tag_resource(Arn=arn, Tags=[{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}])
        transfer.untag_resource(Arn=arn, TagKeys=["a"])
        assert transfer.list_tags_for_resource(Arn=arn)["Tags"] == [{"Key": "c", "Value": "d"}]
    assert transfer.describe_server(ServerId=server)["Server"]["Tags"] == [{"Key": "c", "Value": "d"}]
    transfer.delete_server(ServerId=server)
    assert (
        _refused(transfer.tag_resource, Arn=user, Tags=[{"Key": "a", "Value": "b"}])[0] == "ResourceNotFoundException"
    )


def test_faults_on_request(aws: LocalAws, transfer: Any, server: str) -> None:
    wanted = {
        "ListUsers": ["ThrottlingException", "ServiceUnavailableException"],
        "StartServer": ["START_FAILED"],
        "StopServer": ["STOP_FAILED"],
    }
    assert ask(aws.endpoint, "/_local/transfer/faults", method="POST", body=wanted) == wanted
    for code, status in (("ThrottlingException", 400), ("ServiceUnavailableException", 500)):
        with pytest.raises(ClientError) as raised:
            _once(aws).list_users(ServerId=server)
        assert raised.value.response["Error"]["Code"] == code
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    transfer.list_users(ServerId=server)
    _is(transfer, server, "ONLINE")
    transfer.stop_server(ServerId=server)
    _is(transfer, server, "STOP_FAILED")
    transfer.stop_server(ServerId=server)
    _is(transfer, server, "OFFLINE")
    transfer.start_server(ServerId=server)
    _is(transfer, server, "START_FAILED")
    transfer.start_server(ServerId=server)
    _is(transfer, server, "ONLINE")
    assert ask(aws.endpoint, "/_local/transfer/faults", method="DELETE") == {}
    transfer.delete_server(ServerId=server)


def test_rate_of_calls_and_ports_are_settings(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        settings = {
            "LOCAL_AWS_TRANSFER_CALLS_PER_SECOND": "20",
            "LOCAL_AWS_TRANSFER_START_SECONDS": "0",
            "LOCAL_AWS_SFTP_PORT": str(first),
        }
        aws = LocalAws(settings=settings, log=tmp_path / "log").start()
        try:
            _check_rate_and_ports(aws, first)
        finally:
            aws.stop()


def _check_rate_and_ports(aws: LocalAws, taken: int) -> None:
    transfer = _once(aws)
    server = transfer.create_server(Domain="EFS")["ServerId"]
    port = ask(aws.endpoint, "/_local/transfer/servers")[server]["port"]
    assert taken < port < taken + 100
    transfer.stop_server(ServerId=server)
    until(lambda: _state(transfer, server) == "OFFLINE")
    with socket.create_server(("127.0.0.1", port)):
        transfer.start_server(ServerId=server)
        assert _state(transfer, server) == "START_FAILED"  # it keeps its port, which is taken
    transfer.start_server(ServerId=server)
    assert _state(transfer, server) == "ONLINE"
    refused = []
    for number in range(80):
        request = {"ServerId": server, "UserName": f"user-{number}", "Role": ROLE, "PosixProfile": POSIX}
        while error := _error(transfer.create_user, **request):
            refused.append(error)
            time.sleep(0.05)
    assert set(refused) == {"ThrottlingException"}
    assert len(list(transfer.get_paginator("list_users").paginate(ServerId=server).search("Users"))) == 80
