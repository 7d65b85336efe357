"""Where the AWS provider comes from, and the environment of a run. Real Terraform where there is one; no network."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from scripts import trust
from scripts.deploy import terraform, toolchain
from scripts.errors import Refused

AWS = "registry.example.org/hashicorp/aws"  # whatever the first level is called


def unpacked(
    mirror: Path, version: str = "5.100.0", platform: str | None = None, mode: int = 0o755, aws: str = AWS
) -> Path:
    """A mirror with a provider that starts and does nothing."""
    binary = mirror / aws / version / (platform or terraform.os_arch()) / f"terraform-provider-aws_v{version}_x5"
    binary.parent.mkdir(parents=True)
    binary.write_text("#!/bin/sh\n")
    binary.chmod(mode)
    return mirror


def packed(mirror: Path, version: str = "5.100.0", aws: str = AWS) -> Path:
    """A mirror with the archive of a provider."""
    archive = mirror / aws / f"terraform-provider-aws_{version}_{terraform.os_arch()}.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr(f"terraform-provider-aws_v{version}_x5", "#!/bin/sh\n")
    return mirror


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A machine without a mirror, whose only place for one is `place` below tmp_path."""
    monkeypatch.setattr(toolchain, "_PLACES", (str(tmp_path / "place"),))
    return {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "XDG_DATA_DIRS": str(tmp_path / "share")}


@pytest.mark.parametrize("make", [unpacked, packed])
@pytest.mark.parametrize("depth", ["", "mirror", "some/mirror"])
def test_finds_a_mirror(env: dict[str, str], tmp_path: Path, make: object, depth: str) -> None:
    assert callable(make)
    mirror = make(tmp_path / "place" / depth)
    assert toolchain.find_provider_mirror(env) == mirror
    assert str(toolchain.provider(env, tmp_path)) == f"AWS provider 5.100.0: from the mirror {mirror}"
    assert toolchain.provider(env, tmp_path).from_mirror


@pytest.mark.parametrize(
    "place", ["home/.terraform.d/plugins", "home/.local/share/terraform/plugins", "share/terraform/plugins"]
)
def test_finds_the_mirrors_that_terraform_knows(env: dict[str, str], tmp_path: Path, place: str) -> None:
    assert toolchain.find_provider_mirror(env) is None
    mirror = unpacked(tmp_path / place)
    assert toolchain.find_provider_mirror(env) == mirror


def test_passes_over_what_does_not_fit(env: dict[str, str], tmp_path: Path) -> None:
    unpacked(tmp_path / "place/version", version="5.99.0")
    unpacked(tmp_path / "place/platform", platform="plan9_mips")
    unpacked(tmp_path / "place/mode", mode=0o644)
    packed(tmp_path / "place/archive", version="6.0.0")
    unpacked(tmp_path / "place/too/deep/mirror")
    (tmp_path / "place/file").write_text("x")
    assert toolchain.find_provider_mirror(env) is None
    assert str(toolchain.provider(env, tmp_path)) == "AWS provider 5.100.0: from the registry"


def test_passes_over_what_may_not_be_read(env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path, pattern: str) -> list[Path]:
        raise PermissionError(13, "Permission denied", str(self))

    unpacked(tmp_path / "place/mirror")
    monkeypatch.setattr(Path, "glob", denied)
    assert toolchain.find_provider_mirror(env) is None


def test_the_variable_wins(env: dict[str, str], tmp_path: Path) -> None:
    unpacked(tmp_path / "place/mirror")
    named = packed(tmp_path / "named")
    own = tmp_path / "home/.terraformrc"
    own.parent.mkdir()
    own.write_text("provider_installation {\n}\n")
    env["OMERO_PROVIDER_MIRROR"] = str(named)
    assert toolchain.provider(env, tmp_path) == toolchain.Provider(source="mirror", path=named)
    text = toolchain.write_cli_config(tmp_path, env).read_text()
    assert str(named) in text
    assert text.count("provider_installation") == 1


def test_refuses_a_variable_without_a_provider(env: dict[str, str], tmp_path: Path) -> None:
    unpacked(tmp_path / "old", version="5.99.0")
    env["OMERO_PROVIDER_MIRROR"] = str(tmp_path / "old")
    with pytest.raises(Refused, match=r"OMERO_PROVIDER_MIRROR is .*/old, which has no .*5\.100\.0 for"):
        toolchain.environment(tmp_path, env)


@pytest.mark.parametrize("named", [True, False])
def test_respects_a_file_of_the_users(env: dict[str, str], tmp_path: Path, named: bool) -> None:
    unpacked(tmp_path / "place/mirror")
    own = tmp_path / ("my.rc" if named else "home/.terraformrc")
    own.parent.mkdir(exist_ok=True)
    own.write_text("  provider_installation {\n  direct {}\n}\n")
    if named:
        env["TF_CLI_CONFIG_FILE"] = str(own)
    assert toolchain.write_cli_config(tmp_path, env) == own
    assert not (tmp_path / ".tools/terraform.rc").exists()
    assert toolchain.provider(env, tmp_path).where == f"as {own} says"
    assert toolchain.environment(tmp_path, env)["TF_CLI_CONFIG_FILE"] == str(own)


def test_keeps_what_the_users_file_says_of_other_things(env: dict[str, str], tmp_path: Path) -> None:
    mirror = unpacked(tmp_path / "place/mirror")
    own = tmp_path / "my.rc"
    own.write_text('# provider_installation {\ncredentials "example.com" {\n  token = "t"\n}\n')
    env["TF_CLI_CONFIG_FILE"] = str(own)
    written = toolchain.write_cli_config(tmp_path, env)
    assert written == tmp_path / ".tools/terraform.rc"
    assert own.read_text() in written.read_text()
    assert f'path    = "{mirror}"' in written.read_text()
    assert written.stat().st_mode & 0o077 == 0, "the user's own file may hold tokens"


def test_replaces_a_file_that_does_not_exist(env: dict[str, str], tmp_path: Path) -> None:
    env["TF_CLI_CONFIG_FILE"] = str(tmp_path / "gone")
    written = toolchain.write_cli_config(tmp_path, env)
    assert written == tmp_path / ".tools/terraform.rc"
    assert "provider_installation" not in written.read_text(), "the registry needs none"


def test_a_run_inside_a_run_decides_the_same(env: dict[str, str], tmp_path: Path) -> None:
    unpacked(tmp_path / "place/mirror")
    first = toolchain.environment(tmp_path, env)
    text = (tmp_path / ".tools/terraform.rc").read_text()
    assert toolchain.environment(tmp_path, first)["TF_CLI_CONFIG_FILE"] == first["TF_CLI_CONFIG_FILE"]
    assert (tmp_path / ".tools/terraform.rc").read_text() == text


def test_environment(env: dict[str, str], tmp_path: Path) -> None:
    env |= {"PYTHONHOME": "/elsewhere", "AWS_PROFILE": "mine"}
    got = toolchain.environment(tmp_path, env)
    own = [str(tmp_path / place) for place in (".tools/bin", ".venv/bin", "node_modules/.bin")]
    assert got["PATH"].split(":") == [*own, "/usr/bin", "/bin"]
    assert got["TF_WORKSPACE"] == "demo"
    assert got["TF_INPUT"] == "0"
    assert got["AWS_PROFILE"] == "mine"
    assert "PYTHONHOME" not in got
    assert all(got[name] for name in ("CHECKPOINT_DISABLE", "DISABLE_VERSION_CHECK", "TF_IN_AUTOMATION", "JSII_NODE"))
    chosen = {"TF_WORKSPACE": "prod", "TF_INPUT": "1", "CDKTF_HOME": "/c", "JSII_RUNTIME_PACKAGE_CACHE_ROOT": "/j"}
    assert toolchain.environment(tmp_path, env | chosen).items() >= chosen.items()


def test_tools_trust_what_the_machine_trusts(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store.pem"
    store.touch()
    monkeypatch.setattr(trust, "BUNDLES", (str(store), "/none"))
    told = {"NODE_USE_SYSTEM_CA": "1", "SSL_CERT_FILE": str(store)}
    assert toolchain.environment(tmp_path, env).items() >= told.items()
    chosen = {"NODE_USE_SYSTEM_CA": "0", "SSL_CERT_FILE": "/mine", "HTTPS_PROXY": "http://proxy", "no_proxy": "lab"}
    assert toolchain.environment(tmp_path, env | chosen).items() >= chosen.items()


def test_caches_the_provider_where_it_would_be_fetched_or_unpacked(env: dict[str, str], tmp_path: Path) -> None:
    cache = str(tmp_path / ".tools/plugin-cache")
    assert toolchain.environment(tmp_path, env)["TF_PLUGIN_CACHE_DIR"] == cache
    assert toolchain.environment(tmp_path, env | {"TF_PLUGIN_CACHE_DIR": "/mine"})["TF_PLUGIN_CACHE_DIR"] == "/mine"
    packed(tmp_path / "place/a")
    assert toolchain.environment(tmp_path, env)["TF_PLUGIN_CACHE_DIR"] == cache
    unpacked(tmp_path / "place/a")
    got = toolchain.environment(tmp_path, env)
    assert "TF_PLUGIN_CACHE_DIR" not in got
    assert got["CDKTF_DISABLE_PLUGIN_CACHE_ENV"] == "1"


def test_respects_the_users_own_cache(env: dict[str, str], tmp_path: Path) -> None:
    own = tmp_path / "my.rc"
    own.write_text('plugin_cache_dir = "/mine"\n')
    got = toolchain.environment(tmp_path, env | {"TF_CLI_CONFIG_FILE": str(own)})
    assert "TF_PLUGIN_CACHE_DIR" not in got


def test_refuses_a_checkout_that_is_not_set_up(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"^\.venv and Node\.js and node_modules and Terraform 1\.11\.0 or newer missing"):
        toolchain.require(tmp_path, {"PATH": ""})


def test_refuses_an_old_terraform(tmp_path: Path) -> None:
    binary = tmp_path / "terraform"
    binary.write_text('#!/bin/sh\necho \'{"terraform_version": "1.9.8"}\'\n')
    binary.chmod(0o755)
    with pytest.raises(Refused, match=rf"Terraform 1\.11\.0 or newer \({binary} is 1\.9\.8\) missing"):
        toolchain.require(tmp_path, {"PATH": str(tmp_path)})


def test_describes_the_tools(env: dict[str, str], tmp_path: Path) -> None:
    rows = toolchain.describe(tmp_path, env | {"PATH": ""})
    assert [row[0] for row in rows] == ["Python", "Node.js", "cdktf", "Terraform", "AWS provider"]
    assert rows[2][1] == rows[3][1] == "missing"
    assert rows[4] == ("AWS provider", "5.100.0", "from the registry")


@pytest.mark.skipif(shutil.which("terraform") is None, reason="no Terraform on the PATH")
@pytest.mark.parametrize("make", [unpacked, packed])
def test_terraform_takes_the_provider_from_the_mirror(env: dict[str, str], tmp_path: Path, make: object) -> None:
    assert callable(make)
    here = tmp_path / "stack"
    here.mkdir()
    (here / "main.tf").write_text(
        'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws", version = "5.100.0" }\n  }\n}\n'
    )
    (tmp_path / "my.rc").write_text("disable_checkpoint = true\n")
    env |= {"TF_CLI_CONFIG_FILE": str(tmp_path / "my.rc"), "TF_WORKSPACE": "default"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command, environ = [str(shutil.which("terraform")), *words, "-no-color"], toolchain.environment(tmp_path, env)
        return subprocess.run(command, cwd=here, env=environ, capture_output=True, text=True, timeout=60, check=False)

    named = re.search(r"provider\[(\S+/hashicorp/aws)\]", run("providers").stdout)
    assert named, "Terraform tells which registry it means"
    make(tmp_path / "place/mirror", aws=named[1])
    result = run("init")
    assert result.returncode == 0, result.stderr
    assert "Installed hashicorp/aws v5.100.0 (unauthenticated)" in result.stdout
    assert "CLI configuration" not in result.stdout + result.stderr
