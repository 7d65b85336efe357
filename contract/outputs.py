"""What stacks publish: each value is an output of Terraform for people and an SSM parameter for scripts.

A stack publishes, and a script reads, by these attributes alone: a key that does not exist fails mypy.
The outputs of an optional section are in its own module of `contract.sections`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar


class Output:
    """A published value. `stack` and `key` are where, `description` is what it is."""

    stack: str
    key: str

    def __init__(self, description: str) -> None:
        self.description = description

    def __set_name__(self, owner: type[Outputs], name: str) -> None:
        self.stack = owner.stack
        self.key = name

    def __repr__(self) -> str:
        return self.path

    @property
    def path(self) -> str:
        """`<stack>/<key>`: the end of the SSM parameter's name."""
        return f"{self.stack}/{self.key}"


class Outputs:
    """The outputs of one stack, as class attributes."""

    stack: ClassVar[str]

    @classmethod
    def all(cls) -> Iterator[Output]:
        """Every output of the stack, in order."""
        return (value for value in vars(cls).values() if isinstance(value, Output))


class Network(Outputs):
    """Outputs of the stack `network`."""

    stack = "network"

    vpc_id = Output("The VPC.")
    public_subnet_ids = Output("Public subnets, one a zone.")
    private_subnet_ids = Output("Private subnets, one a zone.")
    log_key_arn = Output("The key of all log groups.")


class Data(Outputs):
    """Outputs of the stack `data`. `backup_vault_name` only where there are backups."""

    stack = "data"

    backup_vault_name = Output("Where the daily backups are.")
    file_system_id = Output("The EFS file system of /OMERO.")
    access_point_id = Output("Its access point, as uid 1000.")
    file_system_security_group_id = Output("Guards its port 2049.")
    database_host = Output("The database's address.")
    database_name = Output("The database's name.")
    database_user = Output("The database's user.")
    database_password_arn = Output("The secret with that user's password.")
    root_password_arn = Output("The secret with OMERO's first root password.")
    ledger_table_name = Output("The table of what was imported.")
    requests_table_name = Output("The table of what people ask the worker of imports for.")
    key_arn = Output("The key of images, metadata, secrets and backups.")


class Frontend(Outputs):
    """Outputs of the stack `frontend`. `server_balancer_dns_name` only where clients reach OMERO.server."""

    stack = "frontend"

    web_balancer_dns_name = Output("OMERO.web's load balancer.")
    web_balancer_security_group_id = Output("Guards that balancer's ports.")
    web_listener_arn = Output("That balancer's listener, which people come to.")
    web_target_group_arn = Output("OMERO.web's containers, as that balancer knows them.")
    server_balancer_dns_name = Output("OMERO.server's network balancer.")


class Omero(Outputs):
    """Outputs of the stack `omero`.

    Not everywhere: `server_address`, `read_only_hosts`, `dashboard_name` and `reports_topic_arn`.
    """

    stack = "omero"

    web_url = Output("Where people open OMERO.web.")
    server_address = Output("Where OMERO.insight finds the server.")
    cluster_name = Output("The ECS cluster.")
    server_service_name = Output("The read-write server's ECS service.")
    server_host = Output("The server's name inside the VPC, port 4064.")
    server_security_group_id = Output("Guards the server's port 4064.")
    server_log_group_name = Output("The server's log.")
    read_only_hosts = Output("The read-only servers' names inside the VPC, port 4064.")
    web_service_name = Output("The web application's ECS service.")
    dashboard_name = Output("The CloudWatch dashboard.")
    importer_log_group_name = Output("The importer's log.")
    importer_parallel_filesets = Output("Filesets that the importer imports at once.")
    importer_digest = Output("SHA-256 of the program that imports.")
    arrivals = Output("The folders that the importer looks at by itself, and what it does with their files.")
    alarm_topic_arn = Output("Reports an importer that is silent: subscribe to it.")
    reports_topic_arn = Output("Reports what has become of arrivals, with names of files: subscribe to it.")
