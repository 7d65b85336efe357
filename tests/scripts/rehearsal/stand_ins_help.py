"""Fixtures for a local AWS that runs the stand-ins for OMERO's containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client, Ecs, until
from local_aws.testing.programs import Programs, make_programs
from scripts.rehearsal.stand_ins import IMAGES
from scripts.rehearsal.stand_ins.omero.state import Server

IMAGE = "openmicroscopy/omero-server:5.6.18"


@pytest.fixture(scope="session")
def stand_ins() -> Path:
    return IMAGES


@pytest.fixture
def programs(aws: LocalAws, client: Client, ecs: Ecs, files_root: Path) -> Programs:
    """The importer's container; it sees the file system as /OMERO."""
    return make_programs(aws, client, ecs, files_root, image=IMAGE, container="importer", path="/OMERO")


# In the importer's container: runs what is put into /OMERO/jobs, all at once.
_RUNS = """
trap exit TERM
mkdir -p /OMERO/jobs
while :; do
    for job in /OMERO/jobs/*.sh; do
        [ -e "$job" ] || continue
        at="/OMERO/jobs/$(basename "$job" .sh)"
        mv "$job" "$at.running"
        (OMERO_PASSWORD=omero bash "$at.running" >"$at.out" 2>"$at.err"; echo $? >"$at.new"; mv "$at.new" "$at.code") &
    done
    sleep 0.05
done
"""


class Served:
    """A task with the stand-in server and, on the same mount or on another's, a container to import in."""

    def __init__(self, programs: Programs, *, same_task: bool = True) -> None:
        self.programs = programs
        self.server = Server(programs.folder)
        self._number = 0
        here = {
            "name": "importer",
            "image": IMAGE,
            "essential": False,
            "entryPoint": ["/bin/bash", "-c", _RUNS],
            "mountPoints": [{"sourceVolume": "files", "containerPath": "/OMERO"}],
        }
        self._definition = programs.definition(
            family="served",
            name="server",
            linuxParameters={"initProcessEnabled": True},
            others=[here] if same_task else [],
        )
        if not same_task:
            programs.start(programs.definition(family="elsewhere", entryPoint=here["entryPoint"]))
        self.task = ""
        self.start()

    def start(self) -> None:
        """A new task, whose server serves."""
        before = self.server.node
        self.task = self.programs.start(self._definition)
        until(lambda: self.server.node > before or self._ended(), seconds=60)

    def _ended(self) -> bool:
        """False; fails when the task has ended, and says what its server said last."""
        task = self.programs.task(self.task)
        assert task["lastStatus"] != "STOPPED", (task.get("stoppedReason"), self.programs.log(task, "server")[-9:])
        return False

    def stop(self) -> None:
        self.programs.ecs.client.stop_task(cluster=self.programs.ecs.cluster, task=self.task)
        self.programs.until(self.task, "STOPPED")

    def begin(self, script: str) -> str:
        """Run a script of bash in which `omero` is OMERO's; its name for `result`."""
        self._number += 1
        folder = self.programs.folder / "jobs"
        folder.mkdir(exist_ok=True)
        draft = folder / f"{self._number}.draft"
        draft.write_text(f"PATH=/opt/omero/server/venv3/bin:$PATH\n{script}\n")
        draft.rename(folder / f"{self._number}.sh")
        return str(self._number)

    def result(self, job: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        at = self.programs.folder / "jobs"
        until((at / f"{job}.code").exists, seconds=60)
        return int((at / f"{job}.code").read_text()), (at / f"{job}.out").read_text(), (at / f"{job}.err").read_text()

    def run(self, script: str) -> tuple[int, str, str]:
        return self.result(self.begin(script))

    def image(self, name: str) -> str:
        """An image in /OMERO/in; its path there."""
        place = self.programs.folder / "in" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"II*")
        return f"/OMERO/in/{name}"
