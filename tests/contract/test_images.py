"""The Dockerfile of an image of one's own: what a parser, checkov and a shell make of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from contract import images
from contract.images import Recipe
from scripts.measure.audit import CHECKOV
from tests.conftest import workspace
from tests.settings.test_images import FIGURE, HASH

BASE = f"openmicroscopy/omero-web-standalone:5.31.1@sha256:{'b' * 64}"
SERVER = f"openmicroscopy/omero-server:5.6.18@sha256:{'c' * 64}"
RECIPES = {
    "web": Recipe(role="web", base=BASE, packages=(FIGURE,)),
    "server": Recipe(role="server", base=SERVER, packages=(f"omero-metadata==0.14.0 {HASH}",)),
}
PYTHON = CHECKOV.with_name("python")


@pytest.fixture(params=list(RECIPES))
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return RECIPES[request.param]


def _write(recipe: Recipe, folder: Path) -> Path:
    for name, content in recipe.files.items():
        (folder / name).write_text(content)
    return folder


@pytest.mark.nightly
def test_a_parser_reads_it_as_it_is_meant(recipe: Recipe, tmp_path: Path) -> None:
    """dockerfile-parse, which checkov brings."""
    code = "import dockerfile_parse as d, json, sys; print(json.dumps(d.DockerfileParser(sys.argv[1]).structure))"
    path = _write(recipe, tmp_path) / "Dockerfile"
    done = subprocess.run([str(PYTHON), "-c", code, str(path)], capture_output=True, text=True, check=True)
    found = [
        (each["instruction"], each["value"]) for each in json.loads(done.stdout) if each["instruction"] != "COMMENT"
    ]
    assert [instruction for instruction, _ in found] == ["FROM", "USER", "COPY", "RUN", "HEALTHCHECK", "USER"]
    assert found[0][1] == recipe.base
    assert found[2][1] == f"requirements.txt /opt/omero/{recipe.role}/added-packages.txt"
    assert "--require-hashes" in found[3][1]
    assert found[-1][1] == f"omero-{recipe.role}", "the image runs as OME's does"


@pytest.mark.nightly
def test_checkov_finds_nothing(recipe: Recipe, tmp_path: Path) -> None:
    command = [str(CHECKOV), "--framework", "dockerfile", "--output", "json", "--compact", "--quiet"]
    done = subprocess.run(
        [*command, "--directory", str(_write(recipe, tmp_path))], capture_output=True, text=True, check=False
    )
    summary = json.loads(done.stdout)
    summary = summary.get("summary", summary)
    assert (summary["failed"], summary["parsing_errors"]) == (0, 0)
    assert summary["passed"] > 3


@pytest.fixture
def run(tmp_path: Path) -> str:
    """The RUN line, with pip in `tmp_path`: `before` and `after` are what its `check` says."""
    pip = tmp_path / "pip"
    pip.write_text(
        f'#!/bin/bash\ncd {tmp_path}\ncase "$1" in\n'
        "install) touch installed; [ ! -e refuses ] ;;\n"
        'check) [ -e installed ] && now=after || now=before; cat "$now"; [ ! -s "$now" ] ;;\nesac\n'
    )
    pip.chmod(0o755)
    line = RECIPES["web"].files["Dockerfile"].partition("\nRUN ")[2].partition("\n# ")[0]
    return line.replace("/opt/omero/web/venv3/bin/pip", str(pip)).replace("\\\n", "")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("No broken requirements found.", "No broken requirements found.", None),
        ("omero-web 5 requires x, which is not installed.", "omero-web 5 requires x, which is not installed.", None),
        ("omero-web 5 requires x, which is not installed.", "No broken requirements found.", None),
        (
            "a 1 requires b, which is not installed.",
            "a 1 requires b, which is not installed.\nfigure 7 requires zarr, which is not installed.",
            "figure 7 requires zarr, which is not installed.",
        ),
        (
            "No broken requirements found.",
            "metadata 1 requires pandas<3, which is not installed.",
            "metadata 1 requires pandas<3, which is not installed.",
        ),
    ],
)
def test_the_build_ends_where_a_package_misses_another(
    run: str, tmp_path: Path, before: str, after: str, said: str | None
) -> None:
    """What the base itself lacked is no reason."""
    (tmp_path / "before").write_text(f"{before}\n")
    (tmp_path / "after").write_text(f"{after}\n")
    done = subprocess.run(["sh", "-c", run], capture_output=True, text=True, check=False)
    assert done.returncode == (1 if said else 0)
    assert done.stderr == (f"The packages do not fit, or need others that are not listed: {said}\n" if said else "")


def test_the_build_ends_where_pip_refuses_a_package(run: str, tmp_path: Path) -> None:
    for name in ("before", "after"):
        (tmp_path / name).write_text("No broken requirements found.\n")
    (tmp_path / "refuses").touch()
    assert subprocess.run(["sh", "-c", run], capture_output=True, check=False).returncode == 1


def test_one_content_has_one_tag_and_another_has_another() -> None:
    web = RECIPES["web"]
    assert web.tag == Recipe(role="web", base=BASE, packages=(FIGURE,)).tag
    assert web.tag.startswith("5.31.1-")
    others = [
        Recipe(role="web", base=BASE.replace("b" * 64, "d" * 64), packages=(FIGURE,)),
        Recipe(role="web", base=BASE, packages=(FIGURE.replace("7.3.0", "7.3.1"),)),
        Recipe(role="server", base=BASE, packages=(FIGURE,)),
    ]
    assert len({web.tag, *(each.tag for each in others)}) == 4


def test_images_are_named_by_the_keys_that_name_them() -> None:
    named = images.named(workspace(images={"web": {"base": BASE, "packages": [FIGURE]}}))
    assert list(named) == ["omero.server.image", "omero.web.image", "images.web.base"]
    unpinned = images.unpinned(workspace(images={"web": {"base": BASE, "packages": [FIGURE]}}))
    assert list(unpinned) == ["omero.server.image", "omero.web.image"]
