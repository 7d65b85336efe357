"""Write `workspaces/schema.json`, from which editors complete and check workspace files."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from scripts import console
from scripts.errors import Failed
from settings import Workspace
from settings.load import FOLDER

FILE = FOLDER / "schema.json"

app = typer.Typer(add_completion=False)


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a workspace file: the model without `name`, which is the file's own."""
    made = Workspace.model_json_schema()
    del made["properties"]["name"]
    made["required"].remove("name")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "Workspace of OMERO on AWS",
        "description": "One deployment of OMERO; a key that is left out takes the default shown.",
    }


def text() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


@app.command()
def main(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 if the file is out of date.")
    ] = False,
) -> None:
    """Write workspaces/schema.json from the models in settings/."""
    current = FILE.read_text(encoding="utf-8") if FILE.is_file() else ""
    shown = FILE.relative_to(FOLDER.parent)
    if current == text():
        console.say(f"{shown} is up to date.")
    elif check:
        raise Failed(f"{shown} is out of date with the models in settings/; run `make schema` and commit it.")
    else:
        FILE.write_text(text(), encoding="utf-8")
        console.say(f"{shown} written.")
