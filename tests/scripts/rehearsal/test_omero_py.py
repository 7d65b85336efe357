"""The stand-in `omero` prints what omero-py's own code prints, where that says less than it knows.

Of GraphControl and SessionsControl, exit code 0 tells nothing: that a server has refused to move a fileset is told by
words alone, and that it could not look up a session not at all.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from local_aws.testing.programs import Programs
from tests.scripts.rehearsal.omero_parser_help import NOT_INSTALLED, PYTHON
from tests.scripts.rehearsal.test_stand_in_omero import Omero

KEY = "0d7fa2c1-29c5-4bd4-8b58-6f5f0b3a1f11"
ROOT = ("-s", "omero", "-u", "root", "-w", "omero")
Answers = dict[str, tuple[int, str, str]]


@pytest.fixture(scope="module")
def real() -> Answers:
    assert PYTHON.exists(), NOT_INSTALLED
    words = [str(PYTHON), str(Path(__file__).with_name("omero_py_answers.py")), KEY]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    return {name: tuple(said) for name, said in json.loads(done.stdout).items()}


def test_omero_py_ends_with_0_whatever_the_server_says(real: Answers) -> None:
    assert {code for code, _, _ in real.values()} == {0}
    assert real["gone"] == real["not looked up"]


def test_the_stand_in_prints_the_same(programs: Programs, real: Answers) -> None:
    omero = Omero(programs)
    omero.image("a.tif")
    assert omero.load("/OMERO/DropBox/a.tif")[0] == 0

    def said(*words: str) -> tuple[int, str, str]:
        return omero.run("-q", *words)

    assert said(*ROOT, "chgrp", "system", "Fileset:1") == real["moved"]
    omero.server.set("graph", "it cannot be")
    assert said(*ROOT, "chgrp", "system", "Fileset:1") == real["not moved"]

    close = ("sessions", *ROOT, "close", KEY)
    assert said(*close) == real["gone"]
    omero.server.query("INSERT INTO session (uuid, experimenter, egroup, node, started) VALUES (?, 0, 0, 0, 0)", KEY)
    omero.server.lose_lookups(1)
    assert said(*close) == real["not looked up"]
    assert said(*close) == real["closed"]
    assert said(*close) == real["gone"]
