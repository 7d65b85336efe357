"""Names of files that somebody could have meant badly, or a microscope well."""

from __future__ import annotations

import random

PARTS = (
    *(
        " ",
        "  ",
        "'",
        '"',
        "\n",
        "\r",
        "\t",
        "\\",
        "`id`",
        "$(touch pwned)",
        "${IFS}",
        "$HOME",
        "; touch pwned;",
        "&& id",
    ),
    *(
        "| id",
        "> out",
        "< in",
        "*",
        "?",
        "[a-z]",
        "{a,b}",
        "~",
        "!",
        "#",
        "%s",
        "%n",
        "--target=x",
        "-rf",
        "=1+1",
        "@x",
    ),
    *(
        "\x01",
        "\x1b[2J",
        "\x7f",
        "é",
        "e\u0301",
        "ß",
        "日本",
        "\N{GRINNING FACE}",
        "\u202e",
        "\u200b",
        "\ufeff",
        "\u2028",
    ),
    *(
        "' or '1'='1",
        "'; drop table images; --",
        ":x",
        "a:b",
        "CON",
        "nul.",
        "$",
        ".",
        "..",
        "%00",
        "\\0",
        "<b>",
        "&amp;",
    ),
    *("a", "x", "_", "0", "ABC"),
)
# Linux's longest name, in bytes.
MOST = 255


def names(count: int, seed: int = 1) -> list[str]:
    """`count` different names that end in .tif, some of them as long as a name may be."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        parts = chance.choices(PARTS, k=chance.choice([1, 2, 3, 5, 8, 60]))
        text = "".join(parts)
        # OMERO puts a character before these, and the longest names would be too long for its own file system then.
        most = MOST - 6 if text.upper().startswith(("$", "CON", "NUL.")) else MOST - 4
        while len(text.encode()) > most:
            text = text[:-1]
        # What begins with a dot is hidden, and no image.
        if text and text[0] != ".":
            found[f"{text}.tif"] = None
    return list(found)
