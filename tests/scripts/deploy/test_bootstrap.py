"""Set-up: fetching Terraform from a server in this process, stamps, and refusals. No network."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from scripts.deploy import bootstrap, terraform
from scripts.deploy.bootstrap import Step
from scripts.deploy.terraform import Stop

FAKE_TERRAFORM = b'#!/bin/sh\necho \'{"terraform_version": "1.11.4"}\'\n'


def archive(**members: bytes) -> bytes:
    """A zip with these members; `__` in a name stands for `../`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in members.items():
            target.writestr(name.replace("__", "../"), content)
    return buffer.getvalue()


class Releases(BaseHTTPRequestHandler):
    """A server of releases: gives `body`, after the failures that `failures` lists."""

    body: ClassVar[bytes] = b""
    failures: ClassVar[list[str]] = []
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        failure = self.failures.pop(0) if self.failures else ""
        if failure.isdigit():
            self.send_error(int(failure))
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body[:-20] if failure == "truncated" else self.body)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Releases]]:
    """The server, with an archive that is as pinned; tests change `body` and `failures`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Releases)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("OMERO_TERRAFORM_RELEASES", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    monkeypatch.setattr(terraform, "PAUSE_SECONDS", 0.0)
    Releases.failures, Releases.asked = [], []
    serve(monkeypatch, archive(terraform=FAKE_TERRAFORM, LICENSE=b"text"))
    yield Releases
    server.shutdown()
    server.server_close()


def serve(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """Serve `body`, and pin its checksum."""
    Releases.body = body
    monkeypatch.setattr(terraform, "SHA256", {terraform.os_arch(): hashlib.sha256(body).hexdigest()})


def fetch(root: Path) -> None:
    terraform.fetch(root, os.environ)


def left(root: Path) -> list[str]:
    """What a refused fetch left behind, which has to be nothing."""
    return [str(path) for path in root.rglob("*") if path.is_file()]


def test_fetches_terraform(releases: type[Releases], tmp_path: Path) -> None:
    fetch(tmp_path)
    assert (tmp_path / ".tools/bin/terraform").read_bytes() == FAKE_TERRAFORM
    assert left(tmp_path) == [str(tmp_path / ".tools/bin/terraform")]
    assert releases.asked == [f"/terraform/1.11.4/terraform_1.11.4_{terraform.os_arch()}.zip"]
    found = terraform.find(tmp_path, {"PATH": ""})
    assert found is not None
    assert found.version == (1, 11, 4)


@pytest.mark.parametrize("failure", ["503", "429", "truncated"])
def test_tries_again(releases: type[Releases], tmp_path: Path, failure: str) -> None:
    releases.failures = [failure, failure]
    fetch(tmp_path)
    assert len(releases.asked) == 3
    assert (tmp_path / ".tools/bin/terraform").exists()


@pytest.mark.parametrize(
    ("failure", "tries", "reason"),
    [("503", 4, "HTTP 503"), ("404", 1, "HTTP 404"), ("truncated", 4, "cut off")],
)
def test_refuses_a_server_that_fails(
    releases: type[Releases], tmp_path: Path, failure: str, tries: int, reason: str
) -> None:
    releases.failures = [failure] * 9
    with pytest.raises(Stop, match=reason):
        fetch(tmp_path)
    assert len(releases.asked) == tries
    assert left(tmp_path) == []


def test_refuses_a_server_that_is_not_there(
    releases: type[Releases], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMERO_TERRAFORM_RELEASES", "http://127.0.0.1:1")
    with pytest.raises(Stop, match=r"could not be downloaded from http://127\.0\.0\.1:1/.*refused"):
        fetch(tmp_path)


def test_refuses_a_wrong_checksum(releases: type[Releases], tmp_path: Path) -> None:
    releases.body += b"x"
    with pytest.raises(Stop, match="is pinned, so it was discarded"):
        fetch(tmp_path)
    assert left(tmp_path) == []
    assert len(releases.asked) == 1


@pytest.mark.parametrize(
    "body",
    [archive(LICENSE=b"text"), archive(__terraform=FAKE_TERRAFORM), archive(**{"bin/terraform": b""}), b"no zip"],
    ids=["missing", "traversal", "folder", "no zip"],
)
def test_refuses_an_archive_without_terraform(
    releases: type[Releases], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    serve(monkeypatch, body)
    with pytest.raises(Stop, match="does not contain `terraform`"):
        fetch(tmp_path / "checkout")
    assert left(tmp_path) == []


def test_writes_no_other_member(releases: type[Releases], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, archive(terraform=FAKE_TERRAFORM, __evil=b"x", ____evil=b"x"))
    fetch(tmp_path / "checkout")
    assert left(tmp_path) == [str(tmp_path / "checkout/.tools/bin/terraform")]


def test_refuses_a_terraform_that_does_not_run(
    releases: type[Releases], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, archive(terraform=b"#!/bin/sh\nexit 1\n"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Stop, match="does not run on this machine"):
        fetch(tmp_path)


def test_refuses_another_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(Stop, match=r"no Terraform is pinned for (linux|darwin)_riscv64"):
        fetch(tmp_path)


def test_refuses_an_address_without_a_scheme(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMERO_TERRAFORM_RELEASES", "file:///tmp")
    with pytest.raises(Stop, match="must be an http or https URL"):
        fetch(tmp_path)


@pytest.mark.parametrize(
    ("said", "fits"),
    [("1.9.8", False), ("1.10.5", False), ("1.11.0", True), ("1.15", True), ("1.12.0-beta1", True), ("2.0.0", True)],
)
def test_knows_which_terraform_fits(tmp_path: Path, said: str, fits: bool) -> None:
    binary = tmp_path / "terraform"
    binary.write_text(f'#!/bin/sh\necho "warning" >&2\necho \'{{"terraform_version": "{said}"}}\'\n')
    binary.chmod(0o755)
    found = terraform.find(tmp_path, {"PATH": str(tmp_path)})
    assert (found is not None) == fits
    assert [candidate.path for candidate in terraform.candidates(tmp_path, {"PATH": str(tmp_path)})] == [binary]


@pytest.mark.parametrize("said", ["", "terraform", '{"terraform_version": null}', '{"terraform_version": "new"}', "[]"])
def test_passes_over_a_terraform_that_does_not_say(tmp_path: Path, said: str) -> None:
    binary = tmp_path / "terraform"
    binary.write_text(f"#!/bin/sh\necho '{said}'\n")
    binary.chmod(0o755)
    assert list(terraform.candidates(tmp_path, {"PATH": str(tmp_path)})) == []


def test_does_a_step_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    product, calls = tmp_path / "product", []

    def act() -> None:
        calls.append(1)
        product.write_text("x")

    def run(*inputs: str) -> int:
        return bootstrap.run_steps(tmp_path, iter([Step("one", "one thing", inputs, (product,), act)]))

    assert run("a") == 1
    assert re.fullmatch(r"setup: one thing \.\.\. \d+ s\n", capsys.readouterr().err)
    assert run("a") == 0
    assert capsys.readouterr().err == ""
    assert run("b") == 1, "other inputs"
    product.unlink()
    assert run("b") == 1, "a product is gone"
    assert len(calls) == 3


def test_does_an_interrupted_step_again(tmp_path: Path) -> None:
    product = tmp_path / "product"
    product.write_text("half of it")
    calls = []

    def act() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    def run(*inputs: str) -> int:
        return bootstrap.run_steps(tmp_path, iter([Step("one", "one thing", inputs, (product,), act)]))

    assert run("a") == 1
    with pytest.raises(KeyboardInterrupt):
        run("b")
    assert run("a") == 1, "what the first run made is not to be trusted any more"


def test_a_second_set_up_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = []

    def second() -> None:
        with bootstrap.lock(tmp_path):
            order.append("second")

    thread = threading.Thread(target=second)
    with bootstrap.lock(tmp_path):
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]
    assert "waiting for another set-up" in capsys.readouterr().err


def test_the_child_of_a_killed_set_up_keeps_the_lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    killed = (
        "import os, pathlib; from scripts.deploy import bootstrap; root = pathlib.Path.cwd()\n"
        f"with bootstrap.lock(pathlib.Path({str(tmp_path)!r})):\n"
        "    bootstrap.call('things', ['sh', '-c', 'kill -9 $PPID; sleep 0.5; echo done > "
        + str(tmp_path)
        + "/done'], root)\n"
    )
    subprocess.run([sys.executable, "-c", killed], cwd=bootstrap.ROOT, check=False)
    with bootstrap.lock(tmp_path):
        assert (tmp_path / "done").exists()
    assert "waiting for another set-up" in capsys.readouterr().err


def test_a_change_in_one_category_leaves_the_others(tmp_path: Path) -> None:
    def lock(**categories: object) -> str:
        (tmp_path / "Pipfile.lock").write_text(json.dumps(categories))
        return bootstrap.locked(tmp_path, "default", "develop")

    before = lock(default={"a": 1}, develop={}, audit={})
    assert lock(default={"a": 1}, develop={}, audit={"checkov": 2}) == before
    assert lock(default={"a": 2}, develop={}, audit={}) != before


@pytest.mark.parametrize("text", [None, "", "{}", "<<<<<<< HEAD"])
def test_refuses_a_damaged_lock(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "Pipfile.lock").write_text(text)
    with pytest.raises(Stop, match=r"git checkout -- Pipfile\.lock"):
        bootstrap.locked(tmp_path, "default")


def test_refuses_an_old_python() -> None:
    with pytest.raises(Stop, match=r"/usr/bin/python3 is Python 3\.10, and set-up needs 3\.11 or newer"):
        bootstrap.check_python((3, 10), "/usr/bin/python3")
    bootstrap.check_python((3, 11), "/usr/bin/python3")


def test_refuses_a_python_without_ensurepip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ensurepip" else name)
    with pytest.raises(Stop, match=r"no module ensurepip.*apt install python3\.12-venv"):
        bootstrap.check_python((3, 12), "/usr/bin/python3")


@pytest.mark.parametrize("module", [bootstrap, terraform])
def test_parses_on_python_3_8(module: object) -> None:
    source = Path(str(module.__file__)).read_text()  # type: ignore[attr-defined]
    ast.parse(source, feature_version=(3, 8))


@pytest.mark.parametrize(
    ("printed", "message", "exit_code"),
    [
        ("npm error code ENOTFOUND", "things could not be downloaded: check the network", 2),
        ("OSError: [Errno 28] No space left on device", "is full: free about 2 GB", 2),
        ("ERROR: hashes do not match", "the installation failed with exit code 7", 1),
    ],
)
def test_says_why_a_tool_failed(tmp_path: Path, printed: str, message: str, exit_code: int) -> None:
    script = f"for i in $(seq 30); do echo line $i; done; echo '{printed}' >&2; exit 7"
    with pytest.raises(Stop, match=message) as caught:
        bootstrap.call("things", ["sh", "-c", script], tmp_path)
    assert caught.value.exit_code == exit_code
    assert caught.value.tail.splitlines()[-1] == printed
    assert len(caught.value.tail.splitlines()) == bootstrap.TAIL_LINES


def test_main_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def no_room(*args: object) -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    def read_only(*args: object) -> None:
        raise OSError(30, "Read-only file system", "/somewhere")

    def stop(*args: object) -> None:
        raise Stop("it did not work.", 1, "last words")

    for act, code, text in (
        (no_room, 2, f"error: {bootstrap.NO_SPACE_LEFT}\n"),
        (read_only, 2, "error: /somewhere: Read-only file system; make it writable, and run `make setup` again.\n"),
        (stop, 1, "last words\nerror: it did not work.\n"),
    ):
        monkeypatch.setattr(bootstrap, "setup", act)
        assert bootstrap.main([]) == code
        assert capsys.readouterr().err == text


def test_the_locked_npm_is_where_set_up_looks_for_it() -> None:
    assert bootstrap.npm(bootstrap.ROOT).is_file()


def test_pipenv_is_pinned_with_hashes_and_without_an_index() -> None:
    text = (bootstrap.ROOT / "tools" / "pipenv.txt").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert any(line.startswith("pipenv==") for line in lines)
    for line in lines:
        assert re.fullmatch(r"[a-z-]+==[\d.]+( +--hash=sha256:[0-9a-f]{64})+", line)


def test_writes_the_commands_of_the_project(tmp_path: Path) -> None:
    """A folder with a space and an apostrophe, reached by a link, from elsewhere: as pip's own would work."""
    root = tmp_path / "Ada's checkout"
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".tools" / "bin").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project.scripts]\nhello = "greeting:main"\n')
    (root / "greeting.py").write_text("import sys\ndef main(): print(sys.argv[1:]); return 3\n")
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{root}" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for name, target in bootstrap.console_scripts(root).items():
        bootstrap.write_command(root, name, target)
        bootstrap.link(root / ".tools" / "bin" / name, root / ".venv" / "bin" / name)
    done = subprocess.run(
        [root / ".tools" / "bin" / "hello", "a b", "*"], cwd="/", stdout=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "['a b', '*']\n")


def test_the_commands_of_this_checkout_are_those_of_the_project() -> None:
    scripts = tomllib.loads((bootstrap.ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert bootstrap.console_scripts(bootstrap.ROOT) == scripts == {"omero-aws": "scripts.main:main"}
    for name in scripts:
        done = subprocess.run(
            [bootstrap.ROOT / ".tools" / "bin" / name, "--version"],
            cwd="/",
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        assert done.stdout.startswith(f"{name} ")


def test_a_change_of_the_commands_leaves_the_packages(tmp_path: Path) -> None:
    for name in ("Pipfile.lock", "package.json", "package-lock.json", "tools/pipenv.txt", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((bootstrap.ROOT / name).read_bytes())

    def inputs() -> dict[str, tuple[str, ...]]:
        return {step.name: step.inputs for step in bootstrap.steps(tmp_path, audit=False)}

    before = inputs()
    (tmp_path / "pyproject.toml").write_text('[project.scripts]\nother = "scripts.main:main"\n')
    after = inputs()
    assert [name for name in before if before[name] != after[name]] == ["commands"]
