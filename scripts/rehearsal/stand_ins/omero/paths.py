"""Client paths as OMERO keeps them: made safe for every platform, so that two files may have the same one.

ClientPathExclusion and ImportLibrary use the rules WINDOWS_REQUIRED and UNIX_REQUIRED of FilePathRestrictionInstance.
"""

from __future__ import annotations

_INSTEAD = {**dict.fromkeys(range(0x20), "_"), **{ord(a): b for a, b in zip('"*/:<>?\\|', "'x!;[]%!!", strict=True)}}
_UNSAFE = ["AUX", "CLOCK$", "CON", "NUL", "PRN", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))]


def safe(name: str) -> str:
    """One part of a path, as MakePathComponentSafe has it."""
    for unsafe in _UNSAFE:
        if name.upper() == unsafe:
            name += "_"
    for prefix in [*(f"{unsafe}." for unsafe in _UNSAFE), "$"]:
        if name.upper().startswith(prefix):
            name = f"_{name}"
    return name.translate(_INSTEAD)


def client_path(path: str) -> str:
    """Of an absolute path; without the slash at its beginning. Bytes that are no UTF-8 are replaced, as by Java."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "/".join(safe(part) for part in text.split("/") if part)
