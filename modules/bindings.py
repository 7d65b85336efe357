"""Import the AWS provider's bindings one submodule at a time.

Python runs a package's root before any of its submodules, and the root of
`cdktf_cdktf_provider_aws` imports all 2,135 of them (`make bench` prints what that costs).
`install` puts an empty module with the same search path in the root's place. The submodules need
nothing else from it: each takes what it shares from the package's `_jsii` module.

`OMERO_FULL_BINDINGS=1` leaves the root as it is; the output is the same either way.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import types

PACKAGE = "cdktf_cdktf_provider_aws"
VARIABLE = "OMERO_FULL_BINDINGS"


def install() -> None:
    """Stand in for the provider's root module, unless it is imported already or `VARIABLE` is set.

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
