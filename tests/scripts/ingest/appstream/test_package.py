"""The archive that instances unpack, and the script that does it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tree_sitter
import tree_sitter_powershell

from scripts.errors import Failed, Refused
from scripts.ingest.appstream import builder, download, package
from scripts.ingest.appstream.files import SCRIPT
from scripts.ingest.appstream.package import Preset
from tests.scripts.ingest.appstream.appstream_help import HOST, Make, insight_files, jar, runtime_files, write_zip

PRESET = Preset(host=HOST, port=4064, folder=package.HOME_FOLDER)
Files = dict[str, bytes]


def assemble(folder: Path, insight: Files | None = None, runtime: Files | None = None) -> tuple[Path, str]:
    one, _ = write_zip(folder / "insight.zip", insight_files() if insight is None else insight)
    two, _ = write_zip(folder / "runtime.zip", runtime_files() if runtime is None else runtime)
    target = folder / "packed.zip"
    return target, package.assemble(insight=one, runtime=two, preset=PRESET, target=target)


def test_the_archive_holds_both_with_the_server_preset(tmp_path: Path) -> None:
    target, sha256 = assemble(tmp_path)
    assert package.sha256_of(target) == sha256
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(target) as archive:
        archive.extractall(unpacked)
    assert (unpacked / "runtime/bin/javaw.exe").read_bytes() == b"MZ"
    assert (unpacked / "insight/lib/omero-insight-5.8.4.jar").is_file()
    for name in package.CONFIGS:
        root = ElementTree.parse(unpacked / "insight/config" / name).getroot()  # noqa: S314
        server = root.find(".//structuredEntry[@name='/services/OMERODS']")
        assert server is not None
        assert {each.tag: each.text for each in server} == {
            "hostName": HOST,
            "port": "4063",
            "portSSL": "4064",
            "encrypted": "true",
        }
        assert {each.tag: each.get("configurable") for each in server if each.get("configurable")} == {
            "hostName": "false",
            "encrypted": "false",
        }
        folder = root.find(".//entry[@name='/services/FS/defaultDirectory']")
        assert folder is not None
        assert folder.text == r"C:\Users\PhotonUser\My Files\Home Folder"
        assert root.find(".//entry[@name='/services/LOGIN/omeds/max-retry']") is not None
    assert (unpacked / "insight/config/about.xml").read_text() == "<about/>"


def test_the_same_input_gives_the_same_archive_wherever_its_root_is(tmp_path: Path) -> None:
    _, first = assemble(tmp_path)
    _, second = assemble(tmp_path, insight_files(""), runtime_files("some/where/"))
    assert first == second


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda files: files.pop("OMERO.insight-5.8.4/bin/omero-insight.bat"), r"no bin/omero-insight\.bat"),
        (lambda files: files.pop("OMERO.insight-5.8.4/lib/omero-insight-5.8.4.jar"), "no lib/omero-insight-"),
        (lambda files: files.pop("OMERO.insight-5.8.4/config/container.xml"), r"no config/container\.xml"),
        (
            lambda files: files.update({"OMERO.insight-5.8.4/config/container.xml": b"<container/>"}),
            "names no OMERO server",
        ),
        (
            lambda files: files.update({"OMERO.insight-5.8.4/lib/omero-insight-5.8.4.jar": jar("Other.class")}),
            r"has no class org\.openmicroscopy\.shoola\.Main",
        ),
        (lambda files: files.update({"../evil.bat": b""}), "would be unpacked outside its folder"),
        (lambda files: files.update({"C:\\evil.bat": b""}), "would be unpacked outside its folder"),
    ],
)
def test_refuses_what_is_not_insight(tmp_path: Path, change: Callable[[Files], object], sentence: str) -> None:
    files = insight_files()
    change(files)
    with pytest.raises(Refused, match=sentence):
        assemble(tmp_path, insight=files)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"jre/bin/java": b""}, r"no bin/javaw\.exe"),
        ({"jre/bin/javaw.exe": b""}, "no release file"),
        ({**runtime_files("j/"), "j/release": b'JAVA_VERSION="17"\nOS_NAME="Linux"\nOS_ARCH="x86_64"'}, "for Linux"),
        ({**runtime_files("j/"), "j/release": b'JAVA_VERSION="17"\nOS_NAME="Windows"\nOS_ARCH="aarch64"'}, "aarch64"),
        (
            {**runtime_files("j/"), "j/release": b'JAVA_VERSION="1.8.0_392"\nOS_NAME="Windows"\nOS_ARCH="amd64"'},
            r"it is Java 1\.8\.0_392.*version 11 or later",
        ),
    ],
)
def test_refuses_what_is_no_java(tmp_path: Path, files: Files, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        assemble(tmp_path, runtime=files)


def test_refuses_what_is_no_zip_and_what_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.zip").write_bytes(b"OMERO")
    with pytest.raises(Refused, match="cannot be read as a zip"):
        package.check_insight(tmp_path / "x.zip")
    monkeypatch.setattr(package, "MOST_BYTES", 100)
    with pytest.raises(Refused, match="an instance has 120 s to download it"):
        assemble(tmp_path)


def test_refuses_a_file_with_another_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sha256 = write_zip(tmp_path / "a.zip", insight_files())
    key = "appstream.insight.archive"
    assert download.fetch(str(path), sha256=sha256, folder=tmp_path, key=key) == path
    with pytest.raises(Refused, match=rf"has the SHA-256 {sha256}, and {key}_sha256 is 000"):
        download.fetch(str(path), sha256="0" * 64, folder=tmp_path, key=key)
    with pytest.raises(Refused, match="is not a file"):
        download.fetch(str(tmp_path / "b.zip"), sha256=sha256, folder=tmp_path, key=key)
    with pytest.raises(Failed, match="could not be downloaded"):
        download.fetch("https://127.0.0.1:1/a.zip", sha256=sha256, folder=tmp_path, key=key)
    monkeypatch.setattr(download, "MOST_BYTES", 10)
    with pytest.raises(Refused, match="give a file of up to"):
        download.fetch(str(path), sha256=sha256, folder=tmp_path, key=key)


def test_fetches_from_a_url(tmp_path: Path) -> None:
    path, sha256 = write_zip(tmp_path / "a.zip", insight_files())
    (tmp_path / "to").mkdir()
    found = download.fetch(path.as_uri(), sha256=sha256, folder=tmp_path / "to", key="appstream.insight.archive")
    assert found == tmp_path / "to" / "a.zip"
    assert found.read_bytes() == path.read_bytes()


def faults_of(script: bytes) -> list[str]:
    """Where PowerShell's grammar does not fit."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    found, nodes = [], [parser.parse(script).root_node]
    while nodes:
        node = nodes.pop()
        if node.is_error or node.is_missing:
            found.append(f"line {node.start_point[0] + 1}: {(node.text or b'').decode()[:60]}")
        nodes += node.children
    return found


def test_the_setup_script_is_powershell() -> None:
    assert faults_of(SCRIPT) == []
    assert faults_of(SCRIPT.replace(b"exit 1\n}", b"exit 1\n"))  # the parser does see a fault


def test_the_script_for_a_builder_is_powershell(lab: Make) -> None:
    shown: list[str] = []
    builder.build(lab(), "insight-1", show=lambda _, script: shown.append(script), wait=False)
    assert faults_of(shown[0].encode()) == []
    assert shown[0].count("\nAssistant ") == 2


def test_the_setup_script_checks_before_it_unpacks_and_fails_aloud() -> None:
    text = SCRIPT.decode("ascii")
    order = ["$ErrorActionPreference = 'Stop'", "Get-FileHash", "ExtractToDirectory", "icacls", "Rename-Item", "exit 1"]
    assert sorted(order, key=text.index) == order
    assert "'omero-insight.zip'" in text
    assert f"'{package.TARGET}'" in text
