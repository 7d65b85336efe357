"""Stack `data`: what must outlive everything else."""

from __future__ import annotations

from constructs import Construct

from contract import names
from contract.outputs import Data
from modules.backup import Backup, BackupProps
from modules.database import NAME, USER, Database, DatabaseProps, DatabaseUser
from modules.file_system import FileSystem, FileSystemProps
from modules.generated_secret import GeneratedSecret, GeneratedSecretProps
from modules.import_requests import ImportRequests
from modules.kept_table import KeptTableProps
from modules.ledger import Ledger
from modules.omero import READ_ONLY_USER
from settings import Workspace
from stacks.base import WorkspaceStack
from stacks.network import NetworkStack


class DataStack(WorkspaceStack):
    """`key_arn`, `file_system`, `database`, the secrets that OMERO's containers read, and two tables of the importer.

    `database_name` is its instance's. `database_user` owns the database; `read_only_user` is there if the topology has
    read-only servers. `ledger` has what was imported, `requests` what is asked for.
    """

    def __init__(self, scope: Construct, workspace: Workspace, network: NetworkStack) -> None:
        super().__init__(scope, "data", workspace)
        self.database_name = names.database(workspace.name)
        self.key_arn = (
            workspace.data.key_arn or self.key("images, metadata, secrets, backups", retain=workspace.retain).arn
        )
        self.database_password = self._secret(
            "database_password",
            f"Password of the database user {USER}",
            "OMERO reads it when it starts; raise data.database.password_version and restart the server",
            version=workspace.data.database.password_version,
        )
        self.root_password = self._secret(
            "root_password",
            "First password of OMERO's user root",
            "OMERO reads it once, when its database is made; change it in OMERO afterwards",
        )
        self.web_secret_key = self._secret(
            "web_secret_key",
            "Key that OMERO.web signs with",
            "a new one breaks forms that are open, at a time that nobody chose",
        )
        self.database_user = DatabaseUser(name=USER, password_arn=self.database_password.arn)
        self.read_only_user = self._read_only_user() if workspace.traits.read_only else None
        self.file_system = self._file_system(network)
        self.database = self._database(network)
        self.ledger = Ledger(
            self,
            "ledger",
            KeptTableProps(
                name=names.physical("table", workspace.name, "imports"),
                key_arn=self.key_arn,
                retain=workspace.retain,
            ),
        )
        self.requests = ImportRequests(
            self,
            "import_requests",
            KeptTableProps(
                name=names.physical("table", workspace.name, "import-requests"),
                key_arn=self.key_arn,
                retain=workspace.retain,
            ),
        )
        self._backup()
        self._publish()

    def _read_only_user(self) -> DatabaseUser:
        password = self._secret(
            "read_only_password",
            f"Password of the database user {READ_ONLY_USER}",
            "servers read it when they start; a new one would lock out those that run",
        )
        return DatabaseUser(name=READ_ONLY_USER, password_arn=password.arn)

    def _secret(self, id_: str, description: str, why_no_rotation: str, version: int = 1) -> GeneratedSecret:
        return GeneratedSecret(
            self,
            id_,
            GeneratedSecretProps(
                name=names.physical("secret", self.workspace.name, id_.replace("_", "-")),
                description=description,
                key_arn=self.key_arn,
                retain=self.workspace.retain,
                why_no_rotation=why_no_rotation,
                version=version,
            ),
        )

    def _file_system(self, network: NetworkStack) -> FileSystem:
        settings = self.workspace.data.file_system
        return FileSystem(
            self,
            "file_system",
            FileSystemProps(
                name=names.base(self.workspace.name),
                account=self.account,
                vpc_id=network.vpc.id,
                subnet_ids=network.vpc.private_subnet_ids,
                key_arn=self.key_arn,
                throughput_mode=settings.throughput_mode,
                infrequent_access_after_days=settings.infrequent_access_after_days,
                retain=self.workspace.retain,
            ),
        )

    def _database(self, network: NetworkStack) -> Database:
        settings = self.workspace.data.database
        return Database(
            self,
            "database",
            DatabaseProps(
                name=self.database_name,
                account=self.account,
                vpc_id=network.vpc.id,
                subnet_ids=network.vpc.private_subnet_ids,
                key_arn=self.key_arn,
                password=self.database_password,
                instance_class=settings.instance_class,
                storage_gib=settings.storage_gib,
                max_storage_gib=settings.max_storage_gib,
                multi_az=settings.multi_az,
                backup_days=settings.backup_days,
                apply_immediately=settings.apply_changes == "immediately",
                logs=network.log_settings(settings.log_retention_days),
                retain=self.workspace.retain,
            ),
        )

    def _backup(self) -> None:
        settings = self.workspace.data.backup
        if settings is None:
            return
        backup = Backup(
            self,
            "backup",
            BackupProps(
                name=names.physical("vault", self.workspace.name, "backup"),
                account=self.account,
                key_arn=self.key_arn,
                schedule=settings.schedule,
                retention_days=settings.retention_days,
                resources=(self.file_system.arn, self.database.arn),
                retain=self.workspace.retain,
            ),
        )
        self.publish(Data.backup_vault_name, backup.vault_name)

    def _publish(self) -> None:
        self.publish(Data.file_system_id, self.file_system.id)
        self.publish(Data.access_point_id, self.file_system.access_point_id)
        self.publish(Data.file_system_security_group_id, self.file_system.security_group_id)
        self.publish(Data.database_host, self.database.address)
        self.publish(Data.database_name, NAME)
        self.publish(Data.database_user, USER)
        self.publish(Data.database_password_arn, self.database_password.arn)
        self.publish(Data.root_password_arn, self.root_password.arn)
        self.publish(Data.ledger_table_name, self.ledger.name)
        self.publish(Data.requests_table_name, self.requests.name)
        self.publish(Data.key_arn, self.key_arn)
