"""`omero-aws images`: the container images that a workspace names, and those that are built for it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from contract import images
from contract.images import Recipe
from scripts import aws, console
from scripts.errors import Failed, Refused
from scripts.images import builds, packages, repositories, workspace_file
from scripts.images.pins import Pins
from scripts.ingest.deployment import deployed_workspace
from scripts.options import DryRunOption, JsonOption, WorkspaceOption
from scripts.output import write_json
from settings import Workspace, load
from settings.load import find

DIGEST_SHOWN = len("sha256:") + 12

app = typer.Typer(
    help="Container images: those that a workspace names, and those that are built for it.",
    no_args_is_help=True,
    add_completion=False,
)


class Role(StrEnum):
    """Whose image."""

    WEB = "web"
    SERVER = "server"


RoleArgument = Annotated[
    Role | None, typer.Argument(help="Which image; left out, all that the workspace has.", show_default=False)
]
WriteOption = Annotated[
    bool, typer.Option("--write", help="Also name the images in the workspace's file, for the next deployment.")
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder", help="With --dry-run: write what would be built there, for `docker build`.", show_default=False
    ),
]


@app.command("lock")
def lock_command(
    asked: Annotated[list[str], typer.Argument(metavar="PACKAGE", help="Packages, such as omero-figure==7.3.0.")],
    python: Annotated[str, typer.Option(help="Version of the image's Python.")] = "3.11",
    as_json: JsonOption = False,
) -> None:
    """Print the lines of images.web.packages or images.server.packages for packages.

    pip looks them up in the index that it is configured for, and installs nothing. A package is locked, not what it
    needs besides: that is in the image, or the build names it.
    """
    lines = packages.lock(asked, python=python)
    if as_json:
        write_json(lines)
    else:
        for line in lines:
            typer.echo(f"      - {line}")


@app.command("build")
def build_command(
    role: RoleArgument = None,
    workspace: WorkspaceOption = None,
    write: WriteOption = False,
    folder: FolderOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build the workspace's own images, and print their names with their digests.

    CodeBuild builds what the stack `images` has; what is there already is not built again, and a build that is running
    is followed. If a build fails, the end of its log is shown. Nothing that runs changes: name the image in the
    workspace, or give --write, and deploy.

    --dry-run shows the Dockerfile and what would be built; with --folder it writes the folder, which `docker build`
    takes anywhere.
    """
    if folder and not dry_run:
        raise Refused("--folder writes what would be built, so it needs --dry-run; add that, or leave --folder out.")
    settings = load(workspace)
    recipes = _recipes(settings, role)
    if dry_run:
        _look_ahead(recipes, folder, as_json=as_json)
        return
    for recipe in recipes:
        builds.check(recipe)
    deployed = deployed_workspace(workspace)
    built = {f"omero.{recipe.role}.image": builds.build(deployed, recipe) for recipe in recipes}
    for key, image in built.items():
        console.say(f"{key}: {image}")
    if write:
        _write(settings, built)
    if as_json:
        write_json(built)


@app.command("list")
def list_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the images in the workspace's repositories: tags, digests, what their scans found, and which are used.

    Digests are cut short; --json has them whole.
    """
    deployed = deployed_workspace(workspace)
    _recipes(deployed.workspace, None)
    found = repositories.listed(deployed)
    if as_json:
        write_json(
            [
                {
                    "role": image.role,
                    "tags": image.tags,
                    "digest": image.digest,
                    "pushed": image.pushed.isoformat(),
                    "findings": image.findings,
                    "used_by": image.used_by,
                }
                for image in found
            ]
        )
        return
    rows = (
        (
            image.role,
            ", ".join(image.tags) or "-",
            image.digest[:DIGEST_SHOWN],
            f"{image.pushed:%Y-%m-%d}",
            image.found,
            ", ".join(image.used_by),
        )
        for image in found
    )
    console.table(("image", "tags", "digest", "pushed", "scan", "used by"), rows)


@app.command("check")
def check_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Look for newer releases of the images that the workspace names, for digests that are missing or tags that have
    moved, and for what scans found in images that are used.

    Changes nothing. A registry that cannot be reached is named, and is no failure.
    """
    settings = load(workspace)
    notes = [*Pins(settings).notes(), *_findings(settings)]
    for note in notes:
        console.say(note)
    if not notes:
        console.say("all images are pinned, and none is newer.")
    if as_json:
        write_json(notes)


@app.command("pin")
def pin_command(workspace: WorkspaceOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False) -> None:
    """Add to each image of the workspace the digest that its tag has now, in the workspace's file.

    Comments and order stay. An image that is pinned already stays as it is. If a registry cannot be reached, its images
    stay as they are, the others are pinned, and the exit code is 1.
    """
    settings = load(workspace)
    pins, found, failed = Pins(settings), dict[str, str](), list[str]()
    for key, image in images.unpinned(settings).items():
        try:
            found[key] = pins.resolve(image)
        except Failed as error:
            failed.append(f"{key}: {error}")
        except aws.ERRORS as error:
            failed.append(f"{key}: {aws.sentence(error)}")
    for key, image in found.items():
        console.say(f"{key}: {image}")
    if not found and not failed:
        console.say("every image is pinned by a digest already.")
    if found and not dry_run:
        _write(settings, found)
    if as_json:
        write_json(found)
    if failed:
        raise Failed("\n".join(failed))


def _recipes(workspace: Workspace, role: Role | None) -> list[Recipe]:
    found = images.recipes(workspace)
    wanted = [role.value] if role else list(found)
    if not wanted or (role and role.value not in found):
        raise Refused(
            f"workspace {workspace.name} has no images{f'.{role.value}' if role else ''}; add that section, with the "
            "packages that `omero-aws images lock` prints."
        )
    return [found[each] for each in wanted]


def _look_ahead(recipes: list[Recipe], folder: Path | None, *, as_json: bool) -> None:
    for recipe in recipes:
        console.say(f"would be done: images.{recipe.role} built as {recipe.tag}, of")
        for name, content in recipe.files.items():
            for line in (f"--- {name}", *content.splitlines()):
                console.say(line)
        if folder:
            into = folder / recipe.role
            into.mkdir(parents=True, exist_ok=True)
            for name, content in recipe.files.items():
                (into / name).write_text(content, encoding="utf-8")
            console.say(f"written; build it with `docker build --tag NAME:{recipe.tag} {into}`.")
    if as_json:
        write_json({recipe.role: {"tag": recipe.tag, "files": recipe.files} for recipe in recipes})


def _write(workspace: Workspace, values: dict[str, str]) -> None:
    path = find(workspace.name)
    workspace_file.write(path, workspace.name, values)
    console.say(f"written into {path}; deploy it with `omero-aws deploy -w {workspace.name}`.")


def _findings(workspace: Workspace) -> list[str]:
    """What scans found in the workspace's own images that it uses."""
    if not images.recipes(workspace):
        return []
    try:
        found = repositories.listed(deployed_workspace(workspace.name))
    except Refused as error:
        return [str(error)]
    except aws.ERRORS as error:
        return [aws.sentence(error)]
    return [
        f"{', '.join(image.used_by)}: the scan of {image.digest} says: {image.found}."
        for image in found
        if image.used_by and (image.findings is None or image.findings)
    ]
