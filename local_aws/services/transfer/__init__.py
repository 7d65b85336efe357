"""Transfer Family: servers, users, keys of both, security policies, and SFTP onto the folders that stand for EFS.

moto 5.2.5 has no UpdateServer, StartServer, StopServer, UpdateUser, ListUsers, host keys or tags;
it tells DateImported as a string, which Terraform cannot read, names its errors otherwise, checks nothing, and there
is nothing to connect to. What it has for servers, users and keys is replaced; connectors are moto's.

| setting | default | what it is |
|---|---|---|
| LOCAL_AWS_TRANSFER_START_SECONDS | 2 | STARTING; on AWS a minute or more |
| LOCAL_AWS_TRANSFER_STOP_SECONDS | 1 | STOPPING |
| LOCAL_AWS_TRANSFER_ENDPOINT_SECONDS | 1 | after the first start, until a VPC endpoint can be changed |
| LOCAL_AWS_TRANSFER_CALLS_PER_SECOND | 0 | see `faults` |
| LOCAL_AWS_SFTP_PORT | 0 | the first server's port on 127.0.0.1; 0: any |

Where a server listens: see `data_plane`. Faults on request: see `faults`. What a role is allowed: see
`local_aws.efs_access`. What is AWS's own and what is not proved: errors come with AWS's codes; a message is AWS's
where `endpoints` or `keys` says so. How AWS behaves is taken from its documentation, in three points against what one
would expect: an allocation of addresses while the server is not OFFLINE is an InvalidRequestException; HomeDirectory
may be given with a LOGICAL home, as the folder to land in; and a rename never overwrites.

Not modelled (501): protocols other than SFTP, identity providers other than SERVICE_MANAGED, workflows, host keys in
Secrets Manager. A server of Domain S3 has all of its control plane, but nothing listens for it. Without a host key
one of RSA with 2,048 bits is made; whether AWS makes more is not proved. Neither idle sessions are ended, nor the
sessions of a connection limited (AWS: after 30 minutes, and to 10). Of its events EventBridge has those of uploads,
downloads and renames of files.
"""

from __future__ import annotations

import functools

from moto.transfer.responses import TransferResponse

from local_aws import actions, clock
from local_aws.application import LocalAwsApplication
from local_aws.services.transfer import data_plane, faults, host_keys, logs, servers, users
from local_aws.services.transfer.state import Refusal

_ACTIONS: dict[str, actions.Action] = {
    "CreateServer": servers.create_server,
    "UpdateServer": servers.update_server,
    "StartServer": servers.start_server,
    "StopServer": servers.stop_server,
    "DescribeServer": servers.describe_server,
    "ListServers": servers.list_servers,
    "DeleteServer": servers.delete_server,
    "TagResource": servers.tag_resource,
    "UntagResource": servers.untag_resource,
    "ListTagsForResource": servers.list_tags_for_resource,
    "CreateUser": users.create_user,
    "UpdateUser": users.update_user,
    "DescribeUser": users.describe_user,
    "ListUsers": users.list_users,
    "DeleteUser": users.delete_user,
    "ImportSshPublicKey": users.import_ssh_public_key,
    "DeleteSshPublicKey": users.delete_ssh_public_key,
    "ImportHostKey": host_keys.import_host_key,
    "ListHostKeys": host_keys.list_host_keys,
    "DeleteHostKey": host_keys.delete_host_key,
}


def _tick(now: float) -> None:
    servers.tick(now)
    logs.deliver()


def install() -> None:
    """Put the actions into moto's Transfer Family, and the data plane beside it."""
    actions.add(
        TransferResponse,
        "transfer_backend",
        _ACTIONS,
        before=faults.check_rate,
        invalid=functools.partial(Refusal, "ValidationException"),
    )
    LocalAwsApplication.resources["/_local/transfer/servers"] = data_plane.resource
    clock.every_request(_tick)
