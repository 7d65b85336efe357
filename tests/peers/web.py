"""The real OMERO.web in a container like its image, with what a workspace's stacks give it."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any
from unittest import mock

from local_aws.services.ecs import logs
from local_aws.services.ecs.images import Image
from local_aws.services.ecs.programs import Program
from modules.sessions import ACCESS
from scripts.deploy.web_parts import cache_server
from tests.peers import gate

ROOT = Path(__file__).resolve().parents[2]
TOOLS = (ROOT / ".tools" / "web").resolve()
HERE = Path(__file__).parent
PORT_VARIABLE = "CONFIG_omero_web_application__server_port"
HOST = "127.0.0.1"
REGION = "eu-west-1"
"""Of the examples."""
_TEST_PASSWORD = "of-the-test"
# Longer than a first start takes on a machine that does other things as well.
START_SECONDS = 180


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def until(said: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> Any:
    """What `said` says once it is not empty."""
    end = time.monotonic() + seconds
    while not (answer := said()):
        assert time.monotonic() < end, f"no {what} in {seconds} s"
        time.sleep(0.1)
    return answer


class Cache:
    """A Redis or Valkey server as ElastiCache's: over TLS alone, for a user that IAM lets in, with its rights alone.

    `certificate` is what clients trust, `gate` what they meet first, on `port`.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._behind = free_port()
        self.certificate = folder / "cache.pem"
        self._folder = folder
        key = folder / "cache.key"
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
        subprocess.run([*made, "-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        (folder / "users.acl").write_text(
            # The test's own way in, to ask it and to close connections; nobody else's.
            f"user default off\nuser test on >{_TEST_PASSWORD} allkeys +ping +client +acl +flushall\n"
            f"user {gate.OWN_USER} #{hashlib.sha256(gate.OWN_PASSWORD.encode()).hexdigest()} {ACCESS}\n"
        )
        self.start()
        self.gate = gate.Gate(
            port=self.port, behind=self._behind, certificate=str(self.certificate), key=str(key), region=REGION
        )

    def start(self) -> None:
        program, variables = cache_server(ROOT, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        key = self._folder / "cache.key"
        tls = ["--tls-port", str(self._behind), "--tls-cert-file", str(self.certificate), "--tls-key-file", str(key)]
        own = ["--port", "0", "--bind", HOST, "--save", "", "--dir", str(self._folder), "--tls-auth-clients", "no"]
        users = ["--aclfile", str(self._folder / "users.acl")]
        self._process = subprocess.Popen([str(program), *own, *tls, *users], env=variables, stdout=subprocess.DEVNULL)
        until(self._answers, "cache", 20)

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the cache did not start"
        try:
            return self.said("PING") == "+PONG"
        except OSError:
            return False

    def said(self, command: str) -> str:
        """The answer to one command of the test's own."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        with (
            socket.create_connection((HOST, self._behind), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(f"AUTH test {_TEST_PASSWORD}\r\n".encode())
            assert secure.recv(64) == b"+OK\r\n"
            secure.sendall(f"{command}\r\n".encode())
            return secure.recv(65536).decode().rstrip("\r\n")

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def close_connections(self) -> None:
        """As a node does that is replaced."""
        assert self.said("CLIENT KILL TYPE normal SKIPME yes").startswith(":")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.gate.close()
        self.kill()


class Web:
    """A running container of OMERO.web. `definition` is a synthesised one; `url` and `lines` are the running one's."""

    def __init__(
        self, definition: Mapping[str, Any], folder: Path, *, cache: Cache | None, variables: Mapping[str, str]
    ) -> None:
        self.lines: list[str] = []
        self.port = free_port()
        self._shared = folder
        environment = {each["name"]: each["value"] for each in definition["environment"]}
        environment |= {each["name"]: "s" * 40 for each in definition["secrets"]}
        if cache:
            caches = re.sub(
                r"rediss://[^/]+/", f"rediss://localhost:{cache.port}/", environment["CONFIG_omero_web_caches"]
            )
            environment["CONFIG_omero_web_caches"] = caches
            options = json.loads(caches)["default"]["OPTIONS"]["signed"]
            assert options["region"] == REGION
            cache.gate.caches[options["user"]] = options["cache"]
            environment |= {
                "AWS_ACCESS_KEY_ID": gate.ROLE.access_key,
                "AWS_SECRET_ACCESS_KEY": gate.ROLE.secret_key,
                "AWS_SESSION_TOKEN": str(gate.ROLE.token),
            }
            # The machine's own trust, by which the image trusts Amazon.
            environment["SSL_CERT_FILE"] = "/shared/cache.pem"
            shutil.copy(cache.certificate, folder / "cache.pem")
        environment |= {PORT_VARIABLE: str(self.port), "PYTHONPATH": "/app", **variables}
        image = Image(
            root=_image(folder),
            user=1000,
            entry_point=["/usr/local/bin/entrypoint.sh"],
            directory="/opt/omero/web",
            environment={
                "OMERODIR": "/opt/omero/web/OMERO.web/",
                "LANG": "C.UTF-8",
                "HOME": "/opt/omero/web/OMERO.web/var",
            },
        )
        mounts = {
            "/opt/omero/web/venv3": (TOOLS, True),
            str(TOOLS): (TOOLS, True),
            "/app": (HERE / "app", True),
            "/shared": (folder, False),
        }
        base = (TOOLS / "bin" / "python").resolve().parents[1]
        if not base.is_relative_to("/usr") or base.is_relative_to("/usr/local"):
            mounts[str(base)] = (base, True)
        with mock.patch.object(logs, "follow", self._follow):
            self._program = Program(
                name=f"web-{self.port}",
                image=image,
                definition=dict(definition),
                environment=environment,
                mounts=mounts,
                clients={},
                stream=None,
            )
        self.folder = self._program.folder / "root/opt/omero/web"
        self.health = definition["healthCheck"]["command"][1].replace(":4080/", f":{self.port}/")

    def _follow(self, output: IO[bytes], _: object) -> None:
        for line in output:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    @property
    def exit_code(self) -> int | None:
        return self._program.exit_code

    def ended(self) -> int:
        """The exit code, once there is one."""
        until(lambda: self.exit_code is not None, "end of OMERO.web", 150)
        assert self.exit_code is not None
        return self.exit_code

    def terminate(self) -> None:
        """As ECS stops a task: SIGTERM, and SIGKILL when the definition's stopTimeout is over."""
        self._program.stop()

    def close(self) -> None:
        self._program.kill()
        until(lambda: self.exit_code is not None, "end of OMERO.web", 30)
        self._program.remove()

    def wait_until_well(self) -> None:
        def well() -> bool:
            assert self.exit_code is None, "\n".join(self.lines[-20:])
            try:
                return self.ask("/index/").status < 400
            except OSError:
                return False

        until(well, "health of OMERO.web")

    def ask(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """An answer, read to its end. `headers` are those that the balancer or the browser adds."""
        with self.begin(path, method=method, headers=headers, body=body) as transfer:
            return transfer.end()

    def begin(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Transfer:
        """An answer of which only the head has come."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=100)
        connection.request(method, path, body=body, headers=dict(headers or {}))
        return Transfer(connection)

    def release(self) -> None:
        """Let downloads that are under way end."""
        (self._program.folder / "root" / "tmp" / "release").touch()

    def hold(self) -> None:
        """Let downloads wait again."""
        (self._program.folder / "root" / "tmp" / "release").unlink(missing_ok=True)


class Transfer:
    """An answer under way."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self.response = connection.getresponse()

    def __enter__(self) -> Transfer:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def end(self) -> Answer:
        """Raises http.client.IncompleteRead if it is cut."""
        return Answer(self.response.status, self.response.msg, self.response.read())


class Answer:
    """`cookies` are what the browser is told to keep, by name, with their attributes."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        found = [each.partition("=") for each in headers.get_all("Set-Cookie", [])]
        self.cookies = {name: rest for name, _, rest in found}

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def json(self) -> Any:
        return json.loads(self.body)


def _image(folder: Path) -> Path:
    root = folder / "image"
    shutil.copytree(HERE / "image", root)
    for each in ("OMERO.web/etc/grid", "OMERO.web/var", "OMERO.web/bin", "venv3"):
        (root / "opt/omero/web" / each).mkdir(parents=True, exist_ok=True)
    shutil.copy(TOOLS / "bin" / "dumb-init", root / "usr/local/bin/dumb-init")
    return root
