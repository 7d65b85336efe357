"""Images that have stand-in programs, in the folder that LOCAL_AWS_STAND_INS names: see local_aws/README.md.

`<folder>/<image>/image.json` is what of its configuration a container takes over: `user` (a uid), `entryPoint`,
`command`, `directory` and `environment`. `<folder>/<image>/root` is put over the root directory of its containers.
`helper` is a command that this server runs beside them all, if its program is there: see `helpers`.
`packages` are Python packages that the stand-ins import, by name: the folder of each (from image.json), or null for
the one that this server's Python has.
"""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from local_aws.stand_ins import VARIABLE


@dataclass(frozen=True, kw_only=True)
class Image:
    root: Path
    user: int = 0
    entry_point: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    directory: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    packages: dict[str, Path] = field(default_factory=dict)
    helper: tuple[str, ...] = ()


def find(name: str) -> Image | None:
    """The stand-in for an image such as `docker.io/example/server:1.2`; None where there is none."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return None
    last = name.partition("@")[0].rpartition("/")[2].partition(":")[0]
    place = Path(folder, last)
    if not last or not (place / "image.json").is_file():
        return None
    given = json.loads((place / "image.json").read_text(encoding="utf-8"))
    return Image(
        root=(place / "root").resolve(),
        user=int(given.get("user", 0)),
        entry_point=given.get("entryPoint", []),
        command=given.get("command", []),
        directory=given.get("directory", "/"),
        environment=given.get("environment", {}),
        helper=tuple(os.path.normpath(place / path) for path in given.get("helper", [])),  # a venv's Python is a link
        packages={
            package: (place / path).resolve() if path else _own(package)
            for package, path in given.get("packages", {}).items()
        },
    )


def _own(package: str) -> Path:
    """Where this server's Python has a package. Raises LookupError where it has none."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise LookupError(f"the Python of this server has no package {package}, which stand-in programs need.")
    return Path(found.submodule_search_locations[0])
