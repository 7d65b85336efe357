"""The scripts that task definitions carry."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import containers
from containers import package, script

SCRIPTS = sorted(path.name for path in Path(containers.__file__).parent.glob("*.*") if path.name != "__init__.py")


@pytest.mark.parametrize("name", SCRIPTS)
def test_carries_no_comment_and_no_template_of_terraforms(name: str) -> None:
    text = script(name)
    assert text.strip()
    assert not [line for line in text.splitlines() if line.lstrip().startswith("# ")]
    assert "${" not in text
    assert "%{" not in text


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name.endswith(".sh")])
def test_is_a_script_that_bash_understands(name: str) -> None:
    done = subprocess.run(["bash", "-n", "-c", script(name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_refuses_what_terraform_would_read_as_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.sh").write_text("echo ${HOME}\n")
    monkeypatch.setattr(containers, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(ValueError, match=r"bad.sh has \$\{, which Terraform would read as its own"):
        script("bad.sh")


def _stand_in(image: Path, text: str) -> str:
    """The script with the image's folders replaced by stand-ins below `image`."""
    for folder in ("/opt/omero", "/usr/local/bin", "/startup", "/OMERO/"):
        text = text.replace(folder, f"{image}{folder}")
    return text


def _executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A stand-in for the server's image: the same folders, and start-up steps that say that they ran.

    `var` is as an empty volume leaves it, and the server starts only where `var/tmp` is: so does OMERO.server since
    5.6.17 (ome/openmicroscopy issue 6448).
    """
    logs = tmp_path / "opt/omero/server/OMERO.server/var/log"
    logs.mkdir(parents=True)
    for name in ("50-config.py", "60-database.sh", "99-run.sh"):
        _executable(tmp_path / "startup" / name, f"echo ran {name}")
    write = "; ".join(f"echo from {name} >> {logs}/{name}.log" for name in ("Blitz-0", "DropBox"))
    temporary = logs.parent / "tmp"
    start = f"test -d {temporary} || exit; echo ran 99-run.sh; {write}; sleep 2.5"
    _executable(tmp_path / "startup/99-run.sh", start)
    _executable(
        tmp_path / "usr/local/bin/entrypoint.sh", f'for step in {tmp_path}/startup/*; do "$step"; done; pkill -P $$'
    )
    _executable(tmp_path / "usr/local/bin/dumb-init", 'exec "$@"')
    _executable(tmp_path / "opt/omero/server/venv3/bin/activate", "true")
    _executable(tmp_path / "opt/omero/server/venv3/bin/omero", f"[ -e {tmp_path}/up ]")
    (tmp_path / "OMERO").mkdir()
    return tmp_path


def _environ() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "SERVER_IMAGE": "example/server:2"}


def _command(image: Path, name: str) -> list[str]:
    text = _stand_in(image, script(name)).replace("tail -n", "timeout 4 tail -n")
    return ["/bin/bash", "-c", text.replace("sleep 5;", "sleep 0.1;").replace("sleep 15", "sleep 0.1")]


def _output(image: Path, name: str) -> list[str]:
    done = subprocess.run(_command(image, name), capture_output=True, text=True, check=True, env=_environ())
    return done.stdout.splitlines()


def _well(image: Path, text: str) -> Path:
    mark = image / "OMERO/.omero-on-aws/well"
    mark.parent.mkdir()
    mark.write_text(text)
    return mark


def test_the_read_write_server_runs_every_step_and_copies_its_logs(image: Path) -> None:
    said = _output(image, "server.sh")
    assert [line for line in said if line.startswith("ran")] == [
        "ran 50-config.py",
        "ran 60-database.sh",
        "ran 99-run.sh",
    ]
    assert {"Blitz-0.log | from Blitz-0", "DropBox.log | from DropBox"} <= set(said)


def test_the_read_write_server_tells_first_which_nfs_client_it_is(image: Path) -> None:
    """As `os.stat` and Linux have it, from the mount of the server's own container."""
    folder = image / "OMERO/.omero-on-aws"
    _executable(image / "usr/local/bin/entrypoint.sh", f"cp {folder}/mount {image}/seen; pkill -P $$")
    _output(image, "server.sh")
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert (image / "seen").read_text() == f"{boot_id} {(image / 'OMERO').stat().st_dev}\n"
    assert not (folder / "mount.new").exists()


def test_the_read_write_server_notes_that_it_is_well_and_not_before(image: Path) -> None:
    mark = image / "OMERO/.omero-on-aws/well"
    _output(image, "server.sh")
    assert not mark.exists()
    (image / "up").touch()
    _output(image, "server.sh")
    assert mark.read_text() == "example/server:2\n"


@pytest.mark.parametrize("before", [None, "example/server:1\n", ""], ids=["first start", "older image", "half written"])
def test_a_read_only_server_waits_for_a_read_write_one_of_its_image(image: Path, before: str | None) -> None:
    if before is not None:
        _well(image, before)
    with subprocess.Popen(
        _command(image, "read_only_server.sh"), stdout=subprocess.PIPE, text=True, env=_environ()
    ) as server:
        assert server.stdout is not None
        said = "waiting until a read-write server of the image example/server:2 has started\n"
        assert [server.stdout.readline() for _ in range(3)] == [said] * 3
        mark = image / "OMERO/.omero-on-aws"
        mark.mkdir(exist_ok=True)
        (mark / "well").write_text("example/server:2\n")
        assert "ran 99-run.sh" in server.stdout.read()
    assert server.returncode == 0


def test_a_read_only_server_skips_the_database_step(image: Path) -> None:
    _well(image, "example/server:2\n")
    said = _output(image, "read_only_server.sh")
    assert [line for line in said if line.startswith("ran")] == ["ran 50-config.py", "ran 99-run.sh"]
    assert "Blitz-0.log | from Blitz-0" in said


def test_web_has_the_app_before_its_image_starts_it(tmp_path: Path) -> None:
    binaries = tmp_path / "opt/omero/web/venv3/bin"
    _executable(binaries / "python", f'exec {sys.executable} "$@"')
    _executable(binaries / "omero", 'printf "%s\\n" "$@" >>"$SEEN"')
    entry = tmp_path / "usr/local/bin/entrypoint.sh"
    _executable(entry, f'{sys.executable} -c "import containers.sign_in.token as it; print(it.__file__)" >>"$SEEN"')
    seen = tmp_path / "seen"
    text = _stand_in(tmp_path, script("web_sign_in.sh")).replace("own=/tmp", f"own={tmp_path}")
    environment = {"PATH": os.environ["PATH"], "PROGRAM": package("sign_in"), "SEEN": str(seen)}
    subprocess.run(["bash", "-c", text], env=environment, cwd=tmp_path, check=True)
    app = f"{tmp_path}/omero-on-aws/containers/sign_in/token.py"
    assert seen.read_text().splitlines() == ["config", "append", "--", "omero.web.apps", '"containers.sign_in"', app]


NEEDED = (
    "opt/omero/server/venv3/bin/activate",
    "opt/omero/server/venv3/bin/omero",
    "opt/omero/server/OMERO.server/var",
    "startup/50-config.py",
    "startup/60-database.sh",
    "startup/99-run.sh",
    "usr/local/bin/dumb-init",
    "usr/local/bin/entrypoint.sh",
)


@pytest.mark.parametrize("name", ["server.sh", "read_only_server.sh"])
@pytest.mark.parametrize("missing", NEEDED)
def test_an_image_that_lacks_what_is_used_is_told_at_once(image: Path, name: str, missing: str) -> None:
    (image / missing).rename(image / "elsewhere")
    done = subprocess.run(
        _command(image, name), capture_output=True, text=True, check=False, env=_environ(), timeout=60
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"error: the image example/server:2 has no {image}/{missing}, by which OMERO.server is started: give "
        "omero.server.image one that is made like openmicroscopy/omero-server\n"
    )
    assert not (image / "OMERO/.omero-on-aws").exists()


@pytest.mark.parametrize("name", ["server.sh", "read_only_server.sh"])
def test_an_image_whose_folder_cannot_be_written_is_told_at_once(image: Path, name: str) -> None:
    folder = image / "opt/omero/server/OMERO.server/var"
    (folder / "tmp").touch()  # root may write anywhere, and no folder in a file's place
    done = subprocess.run(
        _command(image, name), capture_output=True, text=True, check=False, env=_environ(), timeout=60
    )
    assert done.returncode == 1
    assert f"does not let its user write {folder}, where OMERO.server keeps temporary files" in done.stderr
