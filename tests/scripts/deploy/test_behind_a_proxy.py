"""Every tool behind a proxy that inspects TLS: refused in a sentence, and let through once the machine trusts it.

The proxy is real and on loopback; what it intercepts, it answers itself. The machine's own store is not touched:
SSL_CERT_FILE names another.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from scripts import aws
from scripts.deploy import bootstrap, terraform, toolchain
from scripts.deploy.terraform import Stop
from scripts.errors import Failed, Refused
from scripts.process import Progress, stream
from settings.load import parse
from tests.interception import Interception, Page, intercepting

YAML = 'account_id: "123456789012"\nregion: eu-west-1\ntopology: rw-http\naccess: {cidrs: [192.0.2.0/24]}\n'
INDEX, REGISTRY, RELEASES, MIRROR = "index.example", "registry.example", "releases.example", "mirror.example"
STS = "sts.eu-west-1.amazonaws.com"
IDENTITY = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""
UNTRUSTED = (
    "is not trusted; a proxy that inspects TLS probably signs it: add its CA certificate to this machine's store"
)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interception]:
    with intercepting(tmp_path_factory.mktemp("proxy")) as running:
        yield running


@pytest.fixture(scope="module")
def new_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python -m venv` makes, which takes seconds."""
    folder = tmp_path_factory.mktemp("new") / "venv"
    subprocess.run([bootstrap.base_python(), "-m", "venv", folder], check=True)
    return folder


@pytest.fixture(autouse=True)
def _quick_venvs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set-up gets copies of it."""
    call = bootstrap.call

    def quick(what: str, command: Sequence[str | Path], root: Path, env: Mapping[str, str] | None = None) -> str:
        if command[1:3] != ["-m", "venv"]:
            return call(what, command, root, env)
        shutil.copytree(request.getfixturevalue("new_venv"), command[3], symlinks=True)
        return ""

    monkeypatch.setattr(bootstrap, "call", quick)


@pytest.fixture
def behind(proxy: Interception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Puts this process behind the proxy, with a store that knows its authority or does not."""
    for name in list(os.environ):
        if name.upper().startswith(("AWS_", "PIP_", "NPM_CONFIG_", "NODE_", "SSL_")) or name.upper().endswith(
            ("_PROXY", "_CA_BUNDLE")
        ):
            monkeypatch.delenv(name)
    for name in ("home", "store"):
        (tmp_path / name).mkdir()
    # No configuration and no cache of whoever runs the tests.
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NPM_CONFIG_GLOBALCONFIG", str(tmp_path / "npmrc"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("PIP_INDEX_URL", f"https://{INDEX}/simple")
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"https://{REGISTRY}/")
    for name in ("PIP_RETRIES", "NPM_CONFIG_FETCH_RETRIES"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    def put(trusting: bool) -> None:
        for name in ("HTTPS_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(proxy.trusting if trusting else proxy.unaware))
        proxy.asked.clear()

    return put


def wheel() -> bytes:
    """A package for pip with nothing in it."""
    buffer, info = io.BytesIO(), "leaf-1.0.0.dist-info"
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("leaf.py", "")
        target.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: leaf\nVersion: 1.0.0\n")
        target.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        target.writestr(f"{info}/RECORD", "leaf.py,,\n")
    return buffer.getvalue()


def tarball() -> bytes:
    """A package for npm with nothing in it."""
    buffer, content = io.BytesIO(), json.dumps({"name": "leaf", "version": "1.0.0"}).encode()
    with tarfile.open(fileobj=buffer, mode="w:gz") as target:
        member = tarfile.TarInfo("package/package.json")
        member.size = len(content)
        target.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def checkout(proxy: Interception, root: Path) -> None:
    """A checkout at `root` whose locks name one package, with this one's Node.js and pipenv; the index has it."""
    content, name = wheel(), "leaf-1.0.0-py3-none-any.whl"
    proxy.pages[INDEX, "/simple/leaf/"] = Page(body=f'<a href="{name}">{name}</a>'.encode())
    proxy.pages[INDEX, f"/simple/leaf/{name}"] = Page(body=content, kind="application/zip")
    checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
    (root / "tools").mkdir()
    (root / "tools" / "pipenv.txt").write_text(f"leaf==1.0.0 --hash={checksum}\n")
    (root / "pyproject.toml").write_text('[project.scripts]\nlab = "lab:main"\n')
    (root / "Pipfile").write_text('[packages]\nleaf = "*"\n')
    meta = {"hash": {"sha256": ""}, "pipfile-spec": 6, "requires": {}, "sources": []}
    leaf = {"leaf": {"hashes": [checksum], "version": "==1.0.0"}}
    (root / "Pipfile.lock").write_text(json.dumps({"_meta": meta, "default": leaf, "develop": {}}))
    content, address = tarball(), f"https://{REGISTRY}/leaf/-/leaf-1.0.0.tgz"
    proxy.pages[REGISTRY, "/leaf/-/leaf-1.0.0.tgz"] = Page(body=content, kind="application/octet-stream")
    version = {"name": "leaf", "version": "1.0.0", "dist": {"tarball": address}}
    packument = {"name": "leaf", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    proxy.pages[REGISTRY, "/leaf"] = Page(body=json.dumps(packument).encode(), kind="application/json")
    wanted = {"name": "lab", "version": "1.0.0", "dependencies": {"leaf": "1.0.0"}}
    (root / "package.json").write_text(json.dumps(wanted))
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"
    packages = {"": wanted, "node_modules/leaf": {"version": "1.0.0", "integrity": integrity}}
    (root / "package-lock.json").write_text(json.dumps({**wanted, "lockfileVersion": 3, "packages": packages}))


def set_up(root: Path, name: str) -> None:
    """One step of set-up, as `make setup` does it."""
    next(step for step in bootstrap.steps(root, audit=False) if step.name == name).action()


# Each gets one thing through the proxy, by the code that users run.


def by_the_pip_that_python_brings(proxy: Interception, root: Path) -> None:
    checkout(proxy, root)
    set_up(root, "pipenv")
    assert list((root / ".tools" / "pipenv").rglob("leaf.py"))


def by_pipenv(proxy: Interception, root: Path) -> None:
    checkout(proxy, root)
    (root / ".tools").mkdir()
    (root / ".tools" / "pipenv").symlink_to(bootstrap.ROOT / ".tools" / "pipenv")
    set_up(root, "python")
    assert list((root / ".venv").rglob("leaf.py"))


def by_npm(proxy: Interception, root: Path) -> None:
    checkout(proxy, root)
    (root / ".venv").symlink_to(bootstrap.ROOT / ".venv")
    set_up(root, "node")
    assert (root / "node_modules" / "leaf" / "package.json").exists()


def by_urllib(proxy: Interception, root: Path) -> None:
    """As set-up downloads Terraform's archive."""
    proxy.pages[RELEASES, "/terraform.zip"] = Page(body=b"an archive", kind="application/zip")
    assert terraform.download(f"https://{RELEASES}/terraform.zip") == b"an archive"


def by_terraform(proxy: Interception, root: Path) -> None:
    """From a mirror on the network, as the registry is asked too: by Go's TLS."""
    at, archive = "/registry.example/lab/leaf", f"{terraform.os_arch()}.zip"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as target:
        target.writestr("terraform-provider-leaf_v1.0.0", "#!/bin/sh\n")
    found = {"archives": {terraform.os_arch(): {"url": archive}}}
    proxy.pages[MIRROR, f"{at}/index.json"] = Page(body=b'{"versions": {"1.0.0": {}}}', kind="application/json")
    proxy.pages[MIRROR, f"{at}/1.0.0.json"] = Page(body=json.dumps(found).encode(), kind="application/json")
    proxy.pages[MIRROR, f"{at}/{archive}"] = Page(body=content.getvalue(), kind="application/zip")
    settings = root / "settings.rc"
    settings.write_text(f'provider_installation {{\n  network_mirror {{\n    url = "https://{MIRROR}/"\n  }}\n}}\n')
    source = {"leaf": {"source": "registry.example/lab/leaf"}}
    (root / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": source}}))
    env = toolchain.environment(root, {**os.environ, "TF_CLI_CONFIG_FILE": str(settings)})
    program = terraform.find(bootstrap.ROOT, os.environ)
    assert program
    log = root / "init.log"
    with Progress(Console(file=io.StringIO()), "init") as progress:
        stream([str(program.path), f"-chdir={root}", "init", "-no-color"], environ=env, log=log, progress=progress)
    assert list(root.rglob("terraform-provider-leaf_v1.0.0"))


def by_boto3(proxy: Interception, root: Path) -> None:
    proxy.pages[STS, "/"] = Page(body=IDENTITY, kind="text/xml")
    workspace = parse(YAML, "demo", "demo.yaml")
    try:
        aws.check_account(aws.session(workspace), workspace)
    except aws.ERRORS as error:
        raise Refused(aws.sentence(error)) from None


Get = Callable[[Interception, Path], None]
TOOLS: dict[Get, str] = {
    by_the_pip_that_python_brings: INDEX,
    by_pipenv: INDEX,
    by_npm: REGISTRY,
    by_urllib: RELEASES,
    by_terraform: MIRROR,
    by_boto3: STS,
}


@pytest.mark.parametrize("get", TOOLS)
def test_trusts_what_the_machine_trusts(
    get: Get, proxy: Interception, behind: Callable[[bool], None], tmp_path: Path
) -> None:
    behind(True)
    root = tmp_path / "checkout"
    root.mkdir()
    get(proxy, root)
    assert TOOLS[get] in {host for host, _ in proxy.asked}


@pytest.mark.parametrize("get", TOOLS)
def test_says_which_certificate_the_machine_does_not_trust(
    get: Get, proxy: Interception, behind: Callable[[bool], None], tmp_path: Path
) -> None:
    behind(False)
    root = tmp_path / "checkout"
    root.mkdir()
    with pytest.raises((Stop, Refused, Failed)) as caught:
        get(proxy, root)
    assert f"the certificate of {TOOLS[get]} {UNTRUSTED}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert proxy.asked == []
