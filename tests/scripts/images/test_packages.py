"""Packages are locked by pip itself, from files that it finds, and nothing of a package runs."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts.errors import Failed, Refused
from scripts.images import packages
from settings.images import Images


def _wheel(folder: Path, name: str, version: str, tag: str = "py3-none-any", more: str = "") -> str:
    """Put a wheel into `folder`; its SHA-256."""
    stem = f"{name.replace('-', '_')}-{version}"
    about = f"{stem}.dist-info"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}")
        archive.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{about}/RECORD", "")
    (folder / f"{stem}-{tag}.whl").write_bytes(made.getvalue())
    return hashlib.sha256(made.getvalue()).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that pip finds."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_the_newest_that_fits_is_locked_with_its_hash(index: Path) -> None:
    old, new = (_wheel(index, "Omero-Figure", version) for version in ("7.3.0", "8.0.1"))
    assert packages.lock(["omero_figure"], python="3.11") == [f"omero-figure==8.0.1 --hash=sha256:{new}"]
    lines = packages.lock(["omero-figure<8"], python="3.11")
    assert lines == [f"omero-figure==7.3.0 --hash=sha256:{old}"]
    assert Images.model_validate({"web": {"packages": lines}}).web is not None, "and the workspace takes it"


def test_what_a_package_needs_besides_is_not_locked(index: Path) -> None:
    _wheel(index, "omero-metadata", "0.14.0", more="Requires-Dist: pandas\n")
    _wheel(index, "pandas", "2.3.2")
    assert [line.split()[0] for line in packages.lock(["omero-metadata"], python="3.11")] == ["omero-metadata==0.14.0"]


def test_the_file_is_that_of_the_images_python_and_machine(index: Path) -> None:
    for tag in ("cp312-cp312-manylinux_2_17_x86_64", "cp311-cp311-macosx_11_0_arm64"):
        _wheel(index, "pandas", "2.3.2", tag)
    wanted = _wheel(index, "pandas", "2.3.2", "cp311-cp311-manylinux_2_28_x86_64")
    assert packages.lock(["pandas"], python="3.11") == [f"pandas==2.3.2 --hash=sha256:{wanted}"]


def test_a_package_that_would_have_to_run_to_be_looked_at_is_refused(index: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    setup = f"open({str(ran)!r}, 'w')".encode()
    with tarfile.open(index / "omero-old-1.0.tar.gz", "w:gz") as archive:
        about = tarfile.TarInfo("omero-old-1.0/setup.py")
        about.size = len(setup)
        archive.addfile(about, io.BytesIO(setup))
    with pytest.raises(
        Failed, match=r"pip finds no wheel of omero-old for Python 3\.11 on x86 \(No matching distribution"
    ):
        packages.lock(["omero-old"], python="3.11")
    assert not ran.exists()


@pytest.mark.parametrize(
    "asked",
    ["./here", "--index-url=x", "git+https://example.org/x", "omero-figure[export]", "a @ https://example.org/a", ""],
)
def test_refuses_what_is_no_package_of_an_index(index: Path, asked: str) -> None:
    with pytest.raises(Refused, match="is not a package of an index; give a name"):
        packages.lock([asked], python="3.11")


@pytest.mark.parametrize("python", ["3", "2.7", "3.11 --pre", "py311"])
def test_refuses_what_is_no_version_of_python(index: Path, python: str) -> None:
    with pytest.raises(Refused, match="is not a version of Python 3; give that of the image"):
        packages.lock(["omero-figure"], python=python)
