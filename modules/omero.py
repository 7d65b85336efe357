"""OMERO.server and OMERO.web as containers: their variables, secrets, ports and health."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from modules.fargate_service import Container, Deployment, Health, Mount

DATA_DIR = "/OMERO"
SERVER_PORT = 4064
# What a client may speak to the server, by the name of its transport in omero.client.icetransports.
TRANSPORTS = {"ssl": SERVER_PORT, "tcp": 4063, "wss": 4066, "ws": 4065}
WEB_PORT = 4080
# Answers without asking the server, so that a server's restart does not take the web tasks down.
WEB_HEALTH_PATH = "/index/"
WEB_HEALTH_CODES = "200-302"

# Blitz locks the repository, and a second writer waits for the lock for ever: the old task has to be
# gone before the new one starts.
ONE_WRITER = Deployment(count=1, minimum_percent=0, maximum_percent=100)


def variable(property_: str) -> str:
    """The environment variable that sets an OMERO property in OME's images.

    Their start-up turns `_` into `.` and `__` into `_`: `omero.jvmcfg.system_memory` is set by
    `CONFIG_omero_jvmcfg_system__memory`.
    """
    return "CONFIG_" + property_.replace("_", "__").replace(".", "_")


def server_container(
    *,
    image: str,
    transports: Sequence[str],
    system_memory_mib: int,
    database_host: str,
    database_name: str,
    database_user: str,
    database_connections: int,
    database_password_arn: str,
    root_password_arn: str,
    mount: Mount,
) -> Container:
    """The read-write server. `system_memory_mib` is what it divides among its JVMs, in MiB.

    `transports` are those of `TRANSPORTS` that clients may use, the preferred one first.
    """
    properties = {
        "omero.client.icetransports": ",".join(transports),
        "omero.data.dir": DATA_DIR,
        "omero.db.host": database_host,
        "omero.db.name": database_name,
        "omero.db.poolsize": str(database_connections),
        "omero.db.properties": "sslmode=require",
        "omero.db.user": database_user,
        # OMERO looks at the host's memory, not the container's.
        "omero.jvmcfg.system_memory": str(system_memory_mib),
    }
    return Container(
        name="server",
        image=image,
        ports=[TRANSPORTS[transport] for transport in transports],
        # Temporary files and their locks stay off the network file system.
        environment={**_variables(properties), "OMERO_TMPDIR": "/tmp"},  # noqa: S108 - in the container
        secrets={
            variable("omero.db.pass"): database_password_arn,
            # Read once, when the database is made.
            "ROOTPASS": root_password_arn,
        },
        health=Health(command="/opt/omero/server/venv3/bin/omero admin status || exit 1"),
        mounts=(mount,),
    )


def web_container(*, image: str, server_host: str, secret_key_arn: str, domain_name: str | None = None) -> Container:
    """One of the equal web containers; they share a secret key, so that any may read another's cookies.

    `domain_name` is the name behind which a balancer ends TLS; None is plain HTTP.
    """
    url = f"http://127.0.0.1:{WEB_PORT}{WEB_HEALTH_PATH}"
    probe = f"import urllib.request as r; r.urlopen('{url}', timeout=8)"
    return Container(
        name="web",
        image=image,
        ports=[WEB_PORT],
        environment={"OMEROHOST": server_host, **_variables(_behind_tls(domain_name) if domain_name else {})},
        secrets={variable("omero.web.secret_key"): secret_key_arn},
        health=Health(command=f'/opt/omero/web/venv3/bin/python -c "{probe}" || exit 1', timeout=10, start_period=120),
        stop_timeout=30,
    )


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
