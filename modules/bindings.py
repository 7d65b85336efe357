"""Import the AWS provider's bindings one submodule at a time, in Python and in jsii's Node.

Python runs a package's root before any of its submodules, and the root of
`cdktf_cdktf_provider_aws` imports all 2,135 of them. `install` puts an empty module with the same
search path in the root's place. The submodules need nothing else from it: each takes what it shares
from the package's `_jsii` module. The same holds on the other side of jsii, where the package's
index requires every submodule; `lazy_bindings.cjs` makes those wait until they are used.

`make bench` prints what this saves. `OMERO_FULL_BINDINGS=1` leaves both as they are; the output is
the same either way, byte for byte.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from pathlib import Path

PACKAGE = "cdktf_cdktf_provider_aws"
VARIABLE = "OMERO_FULL_BINDINGS"
PRELOAD = Path(__file__).with_name("lazy_bindings.cjs")


def install() -> None:
    """Stand in for the provider's root module, unless it is imported already or `VARIABLE` is set.

    It has to come before the first import of `cdktf`, which starts Node.

    Raises:
        ModuleNotFoundError: the provider's package is not installed.
    """
    if PACKAGE in sys.modules or os.environ.get(VARIABLE):
        return
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"{PACKAGE} is not installed; run `make setup`", name=PACKAGE)
    root = types.ModuleType(PACKAGE, "A light stand-in: import the submodules.")
    root.__path__ = list(spec.submodule_search_locations)
    root.__spec__ = spec
    sys.modules[PACKAGE] = root
    os.environ["NODE_OPTIONS"] = with_preload(os.environ.get("NODE_OPTIONS", ""))


def with_preload(options: str) -> str:
    """Node's options with `PRELOAD` among them, quoted as Node wants a path with spaces."""
    path = str(PRELOAD).replace("\\", "\\\\").replace('"', '\\"')
    option = f'--require "{path}"'
    return options if option in options else f"{options} {option}".strip()
