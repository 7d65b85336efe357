"""Lock the newest packages that the Pipfile allows, and name no index in the result.

pipenv writes the index it used into the lock. Without one it uses whatever the user has configured,
which is what a laboratory behind a mirror of its own needs; the hashes verify the packages either way.
"""

from __future__ import annotations

import json
import subprocess

import typer

from scripts import console
from scripts.errors import Failed
from settings.load import ROOT

LOCK = ROOT / "Pipfile.lock"

app = typer.Typer(add_completion=False)


@app.command()
def lock() -> None:
    """Lock the newest packages that the Pipfile allows."""
    done = subprocess.run([str(ROOT / ".tools" / "bin" / "pipenv"), "lock"], cwd=ROOT, check=False)
    if done.returncode:
        raise Failed(f"pipenv lock ended with exit code {done.returncode}; the reason is above.")
    LOCK.write_text(without_index(LOCK.read_text(encoding="utf-8")), encoding="utf-8")
    console.say("Pipfile.lock is written; run `make setup` to install the packages.")


def without_index(text: str) -> str:
    """The lock file's text without the index that pipenv wrote into it."""
    content = json.loads(text)
    content["_meta"]["sources"] = []
    for name, packages in content.items():
        if name != "_meta":
            for package in packages.values():
                package.pop("index", None)
    return json.dumps(content, indent=4, sort_keys=True) + "\n"
