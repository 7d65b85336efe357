"""A program beside the containers of an image."""

from __future__ import annotations

import sys
from pathlib import Path

from local_aws.services.ecs import helpers
from local_aws.services.ecs.images import Image
from local_aws.testing.ecs import until

# Notes that it has started, and ends with its input.
PROGRAM = "import sys; open(sys.argv[1] + '/started', 'a').write('x'); sys.stdin.read()"


def test_a_helper_runs_once_for_all_containers_and_again_when_it_has_ended(tmp_path: Path) -> None:
    image = Image(root=tmp_path, helper=(sys.executable, "-c", PROGRAM))
    place = helpers.place(image, tmp_path)
    assert place is not None
    assert helpers.place(image, tmp_path) == place
    until(lambda: (place / "started").exists() and (place / "started").read_text() == "x")
    _, process = helpers._running[image.helper]
    process.communicate()
    again = helpers.place(image, tmp_path)
    assert again is not None
    until(lambda: (again / "started").exists() and helpers._running[image.helper][1].poll() is None)
    helpers._running[image.helper][1].communicate()


def test_an_image_has_none_whose_program_is_not_installed(tmp_path: Path) -> None:
    assert helpers.place(Image(root=tmp_path, helper=(str(tmp_path / "python"), "x")), tmp_path) is None
    assert helpers.place(Image(root=tmp_path), tmp_path) is None
