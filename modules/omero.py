"""OMERO.server and OMERO.web as containers: their variables, secrets, ports and health."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from containers import BOOTSTRAP, package, packed, script
from contract.omero import DATA_DIR, TRANSPORTS, WEB_PORT
from modules.connections import Endpoint
from modules.container import Container, Deployment, Health, Mount, Share
from modules.database import DatabaseUser
from modules.sessions import Sessions
from modules.sign_in import APPENDED, LONG_HEADERS, PROPERTIES, SignInProps
from modules.web_serving import (
    CACHE_SECONDS,
    GRACEFUL_SECONDS,
    HEALTH_SECONDS,
    KEEP_ALIVE_SECONDS,
    STOP_SECONDS,
    THREADS,
)

# Answers without asking the server, so that a server's restart does not take the web tasks down.
WEB_HEALTH_PATH = "/index/"
WEB_HEALTH_CODES = "200-302"

# Blitz locks the repository, and a second writer waits for the lock for ever: the old task has to be
# gone before the new one starts. A read-only server writes nothing, but two behind one name would each know
# half of the sessions.
ONE_AT_A_TIME = Deployment(count=1, minimum_percent=0, maximum_percent=100)

# Half an hour for a first start or an upgrade of the database, in which Blitz does not answer, and 15 minutes for what
# comes before and after: roles, certificates, indexes. A read-only server waits as long for the read-write one.
SERVER_GRACE_SECONDS = 2_700

# The user that read-only servers log in as; it may read, and make temporary tables.
READ_ONLY_USER = "omero_read_only"
TMP_DIR = "/tmp"  # noqa: S108 - in the container


def variable(property_: str) -> str:
    """The environment variable that sets an OMERO property in OME's images.

    Their start-up turns `_` into `.` and `__` into `_`: `omero.jvmcfg.system_memory` is set by
    `CONFIG_omero_jvmcfg_system__memory`.
    """
    return "CONFIG_" + property_.replace("_", "__").replace(".", "_")


@dataclass(frozen=True, kw_only=True)
class ServerProps:
    """What the read-write and the read-only servers have in common.

    `transports` are those of `TRANSPORTS` that clients may use, the preferred one first. `memory_mib` is the limit of
    the container, and `heaps_mib` what each of OMERO's JVMs has of it. `database_user` is who it logs in as.
    `site` is what else is set, `site_secrets` the ARNs of secrets by property, and `site_calls` whom that has it call.
    `trusted_certificates` are authorities in PEM, of which directory.sh makes the store that `site` has Java trust.
    """

    image: str
    transports: Sequence[str] = ("ssl",)
    memory_mib: int
    heaps_mib: Mapping[str, int]
    database: Endpoint
    database_name: str
    database_user: DatabaseUser
    mounts: Sequence[Mount | Share]
    site: Mapping[str, str] = field(default_factory=dict)
    site_secrets: Mapping[str, str] = field(default_factory=dict)
    site_calls: Sequence[Endpoint] = ()
    trusted_certificates: str | None = None

    def properties(self) -> dict[str, str]:
        """OMERO's configuration."""
        return {
            **self.site,
            "omero.client.icetransports": ",".join(self.transports),
            "omero.data.dir": DATA_DIR,
            "omero.db.host": self.database.known_host,
            "omero.db.name": self.database_name,
            "omero.db.properties": "sslmode=require",
            "omero.db.user": self.database_user.name,
            # OMERO looks at the host's memory, not the container's.
            "omero.jvmcfg.system_memory": str(self.memory_mib),
            # Explicit, so that neither OMERO's percentages nor its upper bound of 48,000 MiB decide.
            **{f"omero.jvmcfg.heap_size.{name}": str(mib) for name, mib in self.heaps_mib.items()},
        }


def server_container(props: ServerProps, *, database_connections: int, root_password_arn: str) -> Container:
    """The read-write server."""
    properties = {**props.properties(), "omero.db.poolsize": str(database_connections)}
    # Read once, when the database is made.
    return _server("server", "server.sh", props, properties, {"ROOTPASS": root_password_arn})


def read_only_server_container(props: ServerProps, *, name: str) -> Container:
    """A server that changes neither database nor files, and could not: its user, its mount and its role may not."""
    properties = {
        **props.properties(),
        "omero.cluster.read_only.db": "true",
        "omero.cluster.read_only.repo": "true",
        # Bio-Formats keeps what it found out about a file; beside the images it may not. What the read-write server has
        # found out is kept with them, and taken from there (OMERO's guide, "Clustering"): it survives this task.
        "omero.pixeldata.memoizer.dir.local": f"{TMP_DIR}/BioFormatsCache",
    }
    return _server(name, "read_only_server.sh", props, properties, {})


def _server(
    name: str, start: str, props: ServerProps, properties: Mapping[str, str], secrets: Mapping[str, str]
) -> Container:
    return Container(
        name=name,
        image=props.image,
        entry_point=("/bin/bash", "-c", script(start)),
        ports=[TRANSPORTS[transport] for transport in props.transports],
        # Temporary files and their locks stay off the network file system.
        # server.sh and read_only_server.sh compare images: one of the latter waits for one of the former.
        environment={
            **_variables(properties),
            "OMERO_TMPDIR": TMP_DIR,
            "SERVER_IMAGE": props.image,
            **({"LDAP_CHECK": packed("ldap_check.py")} if "omero.ldap.urls" in props.site else {}),
            **({"TRUSTED_CERTIFICATES": props.trusted_certificates} if props.trusted_certificates else {}),
        },
        secrets={
            **_variables(props.site_secrets),
            variable("omero.db.pass"): props.database_user.password_arn,
            **secrets,
        },
        health=Health(command="/opt/omero/server/venv3/bin/omero admin status || exit 1", grace=SERVER_GRACE_SECONDS),
        mounts=props.mounts,
        calls=[props.database, *props.site_calls],
        memory_mib=props.memory_mib,
    )


@dataclass(frozen=True, kw_only=True)
class ImporterProps:
    """What imports beside the server whose image and mounts it has.

    `program_bucket` has the program, and the SSM parameter `program_parameter` says which object of it;
    `arrivals_parameter` is the one with the folders that it looks at by itself.
    `admin` is the OMERO administrator, or one with the privilege Sudo, whose password the secret holds.
    """

    region: str
    memory_mib: int
    heap_mib: int
    parallel_filesets: int
    program_bucket: str
    program_parameter: str
    arrivals_parameter: str
    ledger_table: str
    requests_table: str
    admin: str
    password_arn: str


def importer_container(server: ServerProps, props: ImporterProps) -> Container:
    """Runs what the bucket has, for as long as the server runs. Nothing of the image's own start-up runs.

    What it runs, and a password, are not in its definition: a change of either replaces no server.
    """
    return Container(
        name="importer",
        image=server.image,
        # The start-up would make a database if it found none, and a second server.
        entry_point=("/opt/omero/server/venv3/bin/python", "-c", BOOTSTRAP, "supervisor"),
        environment={
            "ARRIVALS_PARAMETER": props.arrivals_parameter,
            "IMPORT_ROOTS": json.dumps([mount.path for mount in server.mounts]),
            # It comes after the -Xmx1024M of `omero import`, and wins (omero/plugins/import.py of ome/omero-py).
            "JAVA_OPTS": f"-Xmx{props.heap_mib}m -XX:+ExitOnOutOfMemoryError",
            "LEDGER_TABLE": props.ledger_table,
            "OMERO_ADMIN": props.admin,
            "OMERO_PASSWORD_SECRET": props.password_arn,
            "PARALLEL_FILESETS": str(props.parallel_filesets),
            "PROGRAM": package("supervisor"),
            "PROGRAM_BUCKET": props.program_bucket,
            "PROGRAM_PARAMETER": props.program_parameter,
            "REQUESTS_TABLE": props.requests_table,
            "WORKER_REGION": props.region,
        },
        secrets={},
        health=None,
        # root, which may start processes as OMERO's own user, and end them.
        user="0",
        mounts=server.mounts,
        memory_mib=props.memory_mib,
        restarts=True,
    )


def read_only_role_container(props: ServerProps, role: DatabaseUser) -> Container:
    """Makes the database role of the read-only servers, as the owner of the database, and ends.

    It runs before the read-write server, which is the only one that may change the database, each time it starts.
    """
    return Container(
        name="read-only-role",
        image=props.image,
        entry_point=("/opt/omero/server/venv3/bin/python", "-c", script("read_only_role.py")),
        environment={
            "PGHOST": props.database.known_host,
            "PGDATABASE": props.database_name,
            "PGUSER": props.database_user.name,
            "PGSSLMODE": "require",
            "READ_ONLY_USER": role.name,
        },
        secrets={"PGPASSWORD": props.database_user.password_arn, "READ_ONLY_PASSWORD": role.password_arn},
        health=None,
        calls=[props.database],
    )


def web_container(
    *,
    image: str,
    servers: Mapping[str, Endpoint],
    secret_key_arn: str,
    workers: int,
    sessions: Sessions | None = None,
    region: str,
    domain_name: str | None = None,
    site: Mapping[str, str],
    site_secrets: Mapping[str, str],
    appended: Mapping[str, Sequence[Any]],
    signed_in: bool = False,
    sign_in: SignInProps | None = None,
) -> Container:
    """One of the equal web containers. They share a secret key, so that each may check what another has signed: that
    is messages between two pages, for a session's cookie holds nothing but its number.

    `servers` are those that people may choose when they log in, by the name they see; the first is preset.
    `workers` are gunicorn's processes.
    `sessions` is the cache of `region` that holds the sessions; None leaves them in each container.
    `domain_name` is the name behind which a balancer ends TLS; None is plain HTTP. `signed_in`: that balancer signs
    people in, and with `sign_in` it does so for OMERO.
    `site` is what else is set, `site_secrets` the ARNs of secrets by property, and `appended` what lists of OMERO have
    besides what the image gives them.
    """
    url = f"http://127.0.0.1:{WEB_PORT}{WEB_HEALTH_PATH}"
    probe = f"import urllib.request as r; r.urlopen('{url}', timeout={HEALTH_SECONDS - 2})"
    properties = {
        **site,
        "omero.web.wsgi_args": (
            f"--keep-alive {KEEP_ALIVE_SECONDS} --graceful-timeout {GRACEFUL_SECONDS} "
            "--access-logfile - --logger-class containers.web.logs.Accesses"
            f"{f' {LONG_HEADERS}' if signed_in else ''}"
        ),
        # Its forms for errors and comments would send them to OME, whom no security group lets them reach.
        "omero.web.feedback.comment.enabled": "false",
        "omero.web.feedback.error.enabled": "false",
        "omero.web.wsgi_threads": str(THREADS),
        "omero.web.wsgi_workers": str(workers),
        "omero.web.server_list": json.dumps(
            [[server.known_host, server.port, name] for name, server in servers.items()]
        ),
        **(_shared_sessions(sessions, region) if sessions else {}),
        **(_behind_tls(domain_name) if domain_name else {}),
        **(PROPERTIES if sign_in else {}),
    }
    if sign_in:
        appended = {**appended, **{name: [*appended.get(name, ()), entry] for name, entry in APPENDED.items()}}
    return Container(
        name="web",
        image=image,
        entry_point=("/bin/bash", "-c", script("web.sh")),
        ports=[WEB_PORT],
        environment={
            **_variables(properties),
            **({"APPENDED_PROPERTIES": _appending(appended)} if appended else {}),
            **(sign_in.environment() if sign_in else {}),
            "PROGRAM": package("sign_in" if sign_in else "web"),
            "WEB_IMAGE": image,
        },
        secrets={
            **_variables(site_secrets),
            variable("omero.web.secret_key"): secret_key_arn,
            **(sign_in.secrets() if sign_in else {}),
        },
        health=Health(
            command=f'/opt/omero/web/venv3/bin/python -c "{probe}" || exit 1',
            timeout=HEALTH_SECONDS,
            start_period=120,
            grace=300,
        ),
        stop_timeout=STOP_SECONDS,
        calls=[*servers.values(), *([sessions.endpoint] if sessions else [])],
    )


def _appending(lists: Mapping[str, Sequence[Any]]) -> str:
    """OMERO's commands for `omero load`, which reads lines as a shell does; `config append` takes one entry of JSON."""
    lines = [
        f"config append -- {name} {shlex.quote(json.dumps(entry, ensure_ascii=False))}"
        for name, entries in sorted(lists.items())
        for entry in entries
    ]
    return "\n".join(lines)


def _shared_sessions(sessions: Sessions, region: str) -> dict[str, str]:
    """Django's own cache for Redis with a little of ours. Its client is in OME's image (defaults of
    ome/ansible-role-omero-web), and has no time-outs of its own up to version 6.
    """
    cache = sessions.endpoint
    default = {
        "BACKEND": "containers.web.sessions.Cache",
        "LOCATION": f"rediss://{cache.known_host}:{cache.port}/0",
        # A command that the cache has not answered is sent once more.
        "OPTIONS": {
            "retry_on_timeout": True,
            "signed": {"cache": sessions.name, "user": sessions.name, "region": region},
            "socket_connect_timeout": CACHE_SECONDS,
            "socket_timeout": CACHE_SECONDS,
        },
    }
    return {
        "omero.web.caches": json.dumps({"default": default}),
        "omero.web.session_engine": "django.contrib.sessions.backends.cache",
    }


def _behind_tls(domain_name: str) -> dict[str, str]:
    """Cookies for HTTPS only, and the balancer believed that the browser came over HTTPS (omero-web#477)."""
    return {
        "omero.web.csrf_cookie_secure": "true",
        "omero.web.csrf_trusted_origins": json.dumps([f"https://{domain_name}"]),
        "omero.web.secure_proxy_ssl_header": json.dumps(["HTTP_X_FORWARDED_PROTO", "https"]),
        "omero.web.session_cookie_secure": "true",
    }


def _variables(properties: Mapping[str, str]) -> dict[str, str]:
    return {variable(name): value for name, value in properties.items()}
