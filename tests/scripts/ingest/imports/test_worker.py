"""What people see of the worker, and what it does when it is stopped, killed, doubled, or in the wrong place."""

from __future__ import annotations

import os
import signal
import time

import pytest

from containers.importer.entries import IMPORTED, INCOMPLETE, PENDING
from local_aws.testing.ecs import until
from tests.scripts.ingest.imports.imports_help import Importing, run_work, swift_program


def test_a_request_that_no_command_would_write_deletes_and_shows_nothing(importing: Importing) -> None:
    """Whoever may write requests may write any."""
    path = importing.image("a.tif")
    for outside in (b"/etc", b"/OMERO/../etc", b"/", b"/OMEROS"):
        assert "is outside of what is imported from" in importing.scan(outside)["error"]
    importing.scan()
    assert "the transfer upload_rm is not done" in importing.run(transfer="upload_rm")["error"]
    assert "--report cannot be skipped" in importing.run(skip=["--report"])["error"]
    assert "failed" in importing.answer(importing.ask("run"))["error"]
    assert "is nothing that this worker does" in importing.answer(importing.ask("sh"))["error"]
    assert importing.states() == {path: PENDING}
    assert (importing.folder / "a.tif").exists()
    assert importing.run()["imported"] == 1


def test_a_run_waits_while_nobody_says_which_folders_are_watched(importing: Importing) -> None:
    """A connection that was closed meanwhile, or Systems Manager that throttles, is no verdict about a run."""
    line = '        if "ARRIVALS_PARAMETER" not in os.environ:\n'
    fault = (
        "        faults = self.__dict__.setdefault('faults', [AwsError('ThrottlingException', ''), OSError('gone')])\n"
        "        if faults and threading.current_thread() is threading.main_thread():\n"
        "            raise faults.pop()\n"
    )
    importing.publish(swift_program((("importer/worker.py", line, fault + line),)))
    importing.restart_worker()
    importing.image("a.tif")
    importing.scan()
    assert importing.run()["imported"] == 1


def test_a_request_is_taken_within_five_seconds(importing: Importing) -> None:
    importing.scan()
    begun = time.monotonic()
    request = importing.ask("run", **run_work())
    until(lambda: importing.state(request) != "waiting", seconds=5)
    assert time.monotonic() - begun < 5
    importing.answer(request)


def test_two_people_who_ask_for_the_same_get_the_same_answer(importing: Importing) -> None:
    for number in range(4):
        importing.image(f"{number}.tif")
    importing.scan()
    importing.server.fault("slow", "", seconds=0.5)
    one, other = importing.ask("run", **run_work()), importing.ask("run", **run_work())
    first, second = importing.answer(one), importing.answer(other)
    assert first == second
    assert first["imported"] == 4
    assert len(importing.server.jvm_starts()) == 1


@pytest.mark.nightly
def test_a_long_run_keeps_no_short_one_waiting(importing: Importing) -> None:
    for number in range(12):
        importing.image(f"long/{number}.tif")
    importing.image("short/1.tif")
    importing.scan()
    importing.server.fault("slow", "long", seconds=0.3)
    long = importing.ask("run", **run_work(under=b"/OMERO/in/long".hex(), batch_filesets=1))
    short = importing.ask("run", **run_work(under=b"/OMERO/in/short".hex()))
    assert importing.answer(short)["imported"] == 1
    assert importing.state(long) == "running"
    assert importing.answer(long)["imported"] == 12


def test_paused_imports_begin_again_and_a_cancelled_request_ends(importing: Importing) -> None:
    path = importing.image("a.tif")
    importing.scan()
    importing.at.requests.pause(paused=True)
    request = importing.ask("run", **run_work())
    until(lambda: importing.progress(request).get("paused"), seconds=10)
    cancelled = importing.ask("run", **run_work(batch_filesets=3))
    importing.at.requests.cancel(cancelled)
    assert importing.answer(cancelled)["state"] == "cancelled"
    assert importing.states() == {path: PENDING}
    importing.at.requests.pause(paused=False)
    assert importing.answer(request)["imported"] == 1


def test_a_worker_that_is_killed_again_and_again_imports_everything_once(importing: Importing) -> None:
    paths = [importing.image(f"{number}.tif") for number in range(6)]
    importing.scan()
    importing.server.fault("slow", "", seconds=0.3)
    request = importing.ask("run", **run_work(batch_filesets=2))
    for _ in range(10):
        time.sleep(0.4)
        importing.kill_worker()
    importing.answer(request, seconds=120)
    assert importing.states() == dict.fromkeys(paths, IMPORTED)
    assert set(importing.once().values()) == {1}


@pytest.mark.nightly
def test_a_server_that_is_replaced_imports_the_rest_once(importing: Importing) -> None:
    paths = [importing.image(f"{number}.tif") for number in range(4)]
    importing.scan()
    importing.server.fault("slow", "", seconds=1.5, times=2)
    request = importing.ask("run", **run_work(batch_filesets=1))
    until(lambda: importing.programs_of("java"), seconds=30)
    importing.replace_server()
    done = importing.answer(request, seconds=180)
    assert (done["failed"], done["left"]) == (0, 0)
    assert importing.states() == dict.fromkeys(paths, IMPORTED)
    assert set(importing.once().values()) == {1}


def test_another_nfs_client_imports_nothing_and_says_why(importing: Importing) -> None:
    importing.image("a.tif")
    importing.scan()
    place = importing.programs.folder / ".omero-on-aws" / "mount"
    right = place.read_text()
    place.write_text("another-boot-id 42\n")
    until(lambda: "would fail" in str(importing.at.requests.lease()), seconds=20)
    request = importing.ask("run", **run_work())
    with pytest.raises(AssertionError, match="not within 3 seconds"):
        until(lambda: importing.state(request) != "waiting" or importing.server.images(), seconds=3)
    place.write_text(right)
    assert importing.answer(request)["imported"] == 1


def test_what_a_second_server_for_a_moment_has_is_done_by_one(importing: Importing) -> None:
    """Two tasks with a worker each: one has the lease, and the other waits for it."""
    importing.start_second_server()
    paths = [importing.image(f"{number}.tif") for number in range(6)]
    importing.scan()
    importing.server.fault("slow", "", seconds=0.2)
    importing.answer(importing.ask("run", **run_work(batch_filesets=1)), seconds=120)
    assert importing.states() == dict.fromkeys(paths, IMPORTED)
    assert set(importing.once().values()) == {1}


def test_a_worker_beside_a_server_without_the_repository_lets_the_other_one_work(importing: Importing) -> None:
    """Two servers for longer than a moment: it is the first that has locked the repository."""
    first = until(importing.task_of_server, seconds=30)
    until(lambda: importing.server.mount.startswith(first.rpartition("/")[2]), seconds=30)
    (worker,) = until(lambda: importing.programs_of("worker"), seconds=30)
    importing.start_second_server()
    os.kill(int(worker["pid"]), signal.SIGSTOP)
    until(lambda: (lease := importing.at.requests.lease()) and lease.task != first, seconds=60)
    os.kill(int(worker["pid"]), signal.SIGCONT)
    path = importing.image("a.tif")
    importing.scan()
    assert importing.answer(importing.ask("run", **run_work()), seconds=60)["imported"] == 1
    assert importing.states() == {path: IMPORTED}


@pytest.mark.parametrize(
    ("point", "ends"),
    [
        ("verify", IMPORTED),
        pytest.param("save", IMPORTED, marks=pytest.mark.nightly),
        ("pixels", INCOMPLETE),
        pytest.param("thumbnails", INCOMPLETE, marks=pytest.mark.nightly),
    ],
)
def test_a_server_that_is_replaced_at_any_point_of_an_import_leaves_no_second_image(
    importing: Importing, point: str, ends: str
) -> None:
    """What it had not saved is imported by the next; images without a clean end wait for a person."""
    path = importing.image("a.tif")
    importing.scan()
    importing.server.fault("hold", "a.tif", at=point, times=1)
    request = importing.ask("run", **run_work())
    until(importing.server.held, seconds=30)
    importing.replace_server()
    importing.server.release()
    done = importing.answer(request, seconds=120)
    assert importing.states() == {path: ends}, importing.reasons()
    assert (done["imported"], done["incomplete"], done["left"]) == (ends == IMPORTED, ends == INCOMPLETE, 0)
    assert list(importing.once().values()) == [1]
