"""`omero-aws images` from end to end, on a local AWS with CodeBuild and ECR."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_aws.testing.faults import add_faults
from scripts.aws import waiting
from tests.contract.test_images import BASE
from tests.scripts.images.conftest import SECTION, Ran, Stage
from tests.scripts.images.registry_help import StandIn
from tests.settings.test_images import FIGURE

Run = Callable[..., Ran]
SERVER, WEB = "openmicroscopy/omero-server", "openmicroscopy/omero-web-standalone"


def _digest(stage: Stage) -> str:
    (image,) = stage.client("ecr").describe_images(repositoryName=stage.repository)["imageDetails"]
    return str(image["imageDigest"])


def test_an_image_is_built_once(stage: Stage, run: Run) -> None:
    before = stage.path.read_text()
    first = run("build", "--json")
    assert first.code == 0
    image = f"{stage.url}:{stage.recipe.tag}@{_digest(stage)}"
    assert json.loads(first.out) == {"omero.web.image": image}
    assert f"omero.web.image: {image}" in first.said
    assert stage.path.read_text() == before, "nothing is written unless it is asked for"
    second = run("build", "web")
    assert second.code == 0
    assert "is there already; nothing is built" in second.said
    assert len(stage.builds()) == 1


def test_it_is_named_in_the_workspace_if_that_is_asked_for(stage: Stage, run: Run) -> None:
    before = stage.path.read_text()
    assert run("build", "--write").code == 0
    after = stage.path.read_text()
    assert after.startswith(before)
    assert stage.workspace.omero.web.image == f"{stage.url}:{stage.recipe.tag}@{_digest(stage)}"


def test_a_build_that_runs_is_followed(stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.fault(build=["slow:3600"])
    project = f"omero-{stage.name}-web-image"
    id_ = stage.client("codebuild").start_build(projectName=project)["build"]["id"]
    follow = waiting.wait_for

    def stop_and_follow(*arguments: Any, **named: Any) -> str:
        stage.client("codebuild").stop_build(id=id_)
        return follow(*arguments, **named)

    monkeypatch.setattr(waiting, "wait_for", stop_and_follow)
    done = run("build")
    assert (done.code, stage.builds()) == (1, [id_])
    assert f"build {id_} is running already; this follows it" in done.said
    assert f"build {id_} ended with STOPPED; nothing was changed." in done.said


def test_a_build_that_fails_says_where_and_shows_the_end_of_its_log(stage: Stage, run: Run) -> None:
    before = stage.path.read_text()
    stage.fault(build=["fail:BUILD"])
    done = run("build", "--write")
    assert done.code == 1
    assert "ended with FAILED in BUILD (Error while executing command: injected. Reason: exit status 1)" in done.said
    assert "Phase complete: BUILD State: FAILED" in done.err
    assert stage.path.read_text() == before
    assert run("build").code == 0, "and can be run again"


def test_an_answer_that_is_lost_starts_no_second_build(stage: Stage, run: Run) -> None:
    add_faults(stage.aws.endpoint, "codebuild", {"StartBuild": ["lost"]})
    assert run("build").code == 1
    assert run("build").code == 0
    assert len(stage.builds()) == 1


def test_refuses_what_the_deployed_stack_would_not_build(stage: Stage, run: Run) -> None:
    stage.write(images={"web": {"base": BASE, "packages": [FIGURE.replace("7.3.0", "7.3.1")]}})
    done = run("build")
    assert done.code == 2
    assert f"and the workspace means {stage.recipe.tag}; deploy it first: `omero-aws deploy images -w" in done.said
    assert stage.builds() == []
    stage.deploy()
    assert run("build").code == 0


def test_refuses_a_base_without_a_digest(stage: Stage, run: Run) -> None:
    stage.write(images={"web": {"packages": [FIGURE]}})
    done = run("build")
    assert done.code == 2
    assert "has no digest, so that two builds could differ; run `omero-aws images pin`" in done.said


@pytest.mark.parametrize("role", [[], ["web"]])
def test_a_workspace_without_images_of_its_own_is_told(stage: Stage, run: Run, role: list[str]) -> None:
    stage.write(images=None)
    done = run("build", *role)
    assert done.code == 2
    assert "has no images" in done.said


def test_an_image_that_the_section_lacks_is_told(stage: Stage, run: Run) -> None:
    assert "has no images.server; add that section" in run("build", "server").said


def test_what_would_be_built_is_shown_and_written_for_docker(stage: Stage, run: Run, tmp_path: Path) -> None:
    done = run("build", "--dry-run", "--folder", tmp_path / "out", "--json")
    assert done.code == 0
    assert stage.builds() == []
    assert f"FROM {BASE}" in done.err
    written = {path.name: path.read_text() for path in (tmp_path / "out" / "web").iterdir()}
    assert written == dict(stage.recipe.files) == json.loads(done.out)["web"]["files"]
    assert run("build", "--folder", tmp_path).code == 2


def test_the_list_says_which_image_runs_and_what_scans_found(stage: Stage, run: Run) -> None:
    assert run("build", "--write").code == 0
    (image,) = json.loads(run("list", "--json").out)
    assert image["tags"] == [stage.recipe.tag]
    assert (image["findings"], image["used_by"]) == ({}, ["omero.web.image"])
    shown = run("list").said
    assert "nothing found" in shown
    assert "omero.web.image" in shown


def test_pins_are_written_beside_what_was_there(stage: Stage, run: Run, hub: StandIn) -> None:
    server, web = hub.push(SERVER, "5.6.18", b"server"), hub.push(WEB, "5.31.1", b"web")
    before = stage.path.read_text()
    told = run("pin", "--dry-run")
    assert (told.code, stage.path.read_text()) == (0, before)
    assert f"omero.web.image: {WEB}:5.31.1@{web}" in told.said
    assert run("pin").code == 0
    text = stage.path.read_text()
    assert text.startswith("# ours\n")
    assert stage.workspace.omero.server.image == f"{SERVER}:5.6.18@{server}"
    assert stage.workspace.omero.web.image == f"{WEB}:5.31.1@{web}"
    assert yaml.safe_load(text)["images"] == SECTION, "what is pinned stays"
    again = run("pin")
    assert "every image is pinned by a digest already" in again.said
    assert stage.path.read_text() == text


def test_what_cannot_be_resolved_is_told_and_the_rest_is_pinned(stage: Stage, run: Run, hub: StandIn) -> None:
    web = hub.push(WEB, "5.31.1", b"web")
    done = run("pin")
    assert done.code == 1
    assert "omero.server.image: the registry" in done.said
    assert stage.workspace.omero.web.image == f"{WEB}:5.31.1@{web}"
    assert "@" not in stage.workspace.omero.server.image


def test_a_tag_of_ecr_is_asked_of_ecr(stage: Stage, run: Run, hub: StandIn) -> None:
    assert run("build").code == 0
    hub.push(SERVER, "5.6.18", b"server")
    stage.write(omero={"web": {"image": f"{stage.url}:{stage.recipe.tag}"}})
    assert run("pin").code == 0
    assert stage.workspace.omero.web.image == f"{stage.url}:{stage.recipe.tag}@{_digest(stage)}"
    stage.write(omero={"web": {"image": f"{stage.url}:missing"}})
    assert f"the ECR repository {stage.repository} has no missing; build it, or correct the tag" in run("pin").said


def test_check_tells_what_is_newer_moved_unpinned_or_unsafe(stage: Stage, run: Run, hub: StandIn) -> None:
    hub.push(SERVER, "5.6.18", b"server")
    hub.push(WEB, "5.31.1", b"web")
    hub.push(WEB, "5.33.0", b"newer")
    done = run("check")
    assert done.code == 0
    assert f"omero.server.image {SERVER}:5.6.18 is not pinned by a digest" in done.said
    assert f"omero.web.image: {WEB} has newer releases than 5.31.1: 5.33.0" in done.said
    assert "images.web.base: the tag 5.31.1 of openmicroscopy/omero-web-standalone now means sha256:" in done.said


def test_check_tells_nothing_of_what_is_well(stage: Stage, run: Run, hub: StandIn) -> None:
    web = hub.push(WEB, "5.31.1", b"web")
    hub.push(SERVER, "5.6.18", b"server")
    stage.write(images={"web": {"base": f"{WEB}:5.31.1@{web}", "packages": [FIGURE]}})
    assert run("pin").code == 0
    assert "all images are pinned, and none is newer" in run("check").said


def test_check_tells_findings_of_images_that_run(stage: Stage, run: Run, hub: StandIn) -> None:
    stage.client("ecr").create_repository(repositoryName="other")
    found = {
        "repositoryName": stage.repository,
        "imageId": {},
        "imageScanFindings": {"findingSeverityCounts": {"CRITICAL": 1, "LOW": 4}},
    }
    stage.findings(found)
    assert run("build", "--write").code == 0
    assert f"omero.web.image: the scan of {_digest(stage)} says: 1 critical, 4 low." in run("check").said


def test_check_goes_on_where_a_registry_is_away(stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.images.reference.DOCKER_HUB", "127.0.0.1:1")
    done = run("check", "--json")
    assert done.code == 0
    assert any("cannot be reached" in note for note in json.loads(done.out))
