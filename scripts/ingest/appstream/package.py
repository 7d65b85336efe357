"""OMERO.insight and a Java runtime for Windows, looked at and put into one zip, with the workspace's server preset."""

from __future__ import annotations

import hashlib
import io
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from scripts import console
from scripts.errors import Refused
from settings.appstream import Insight

# AppStream waits up to 120 s for the archive, and advises to stay below this.
MOST_BYTES = 1_500_000_000
LEAST_JAVA = 11
MAIN_CLASS = "org.openmicroscopy.shoola.Main"
TARGET = r"C:\OMERO.insight"
JAVA = rf"{TARGET}\runtime\bin\javaw.exe"
WORKING_DIRECTORY = rf"{TARGET}\insight"
# OMERO.insight looks for config\ in its working directory. The heap: see the page for administrators.
PARAMETERS = rf"-Xms256m -XX:MaxRAMPercentage=60 -cp lib\* {MAIN_CLASS} container.xml"
HOME_FOLDER = r"C:\Users\PhotonUser\My Files\Home Folder"
CONFIGS = ("container.xml", "containerImporter.xml")
_ERA = (1980, 1, 1, 0, 0, 0)  # the same input gives the same archive
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What OMERO.insight knows of its server: host, port, and the folder that its importer begins in."""

    host: str
    port: int
    folder: str = ""


def digest(insight: Insight, preset: Preset, script: bytes) -> str:
    """Ten hex digits that tell one archive from another by what it is made of, without making it."""
    parts = (insight.archive_sha256, insight.runtime_sha256, preset.host, str(preset.port), preset.folder, PARAMETERS)
    return hashlib.sha256("\n".join(parts).encode() + script).hexdigest()[:10]


def check_insight(path: Path) -> tuple[str, str]:
    """The folder in the zip that OMERO.insight is in, and its version.

    Raises:
        Refused: it is not OMERO.insight's archive.
    """
    with _opened(path, "appstream.insight.archive") as archive:
        found = set(archive.namelist())
        starts = [
            name.removesuffix("bin/omero-insight.bat") for name in found if name.endswith("bin/omero-insight.bat")
        ]
        if len(starts) != 1:
            raise _no_insight(path, "it has no bin/omero-insight.bat")
        root = starts[0]
        jars = sorted(name for name in found if re.fullmatch(rf"{re.escape(root)}lib/omero-insight[^/]*\.jar", name))
        if not jars:
            raise _no_insight(path, "it has no lib/omero-insight-<version>.jar")
        if f"{root}config/container.xml" not in found:
            raise _no_insight(path, "it has no config/container.xml")
        if b"/services/OMERODS" not in archive.read(f"{root}config/container.xml"):
            raise _no_insight(path, "its config/container.xml names no OMERO server (/services/OMERODS)")
        try:
            classes = zipfile.ZipFile(io.BytesIO(archive.read(jars[0]))).namelist()
        except zipfile.BadZipFile:
            classes = []
        if f"{MAIN_CLASS.replace('.', '/')}.class" not in classes:
            raise _no_insight(path, f"{jars[0]} has no class {MAIN_CLASS}")
        version = re.search(r"omero-insight-(.+)\.jar$", jars[0])
        return root, version[1] if version else "of unknown version"


def _no_insight(path: Path, why: str) -> Refused:
    return Refused(
        f"{path} is not OMERO.insight: {why}; give OMERO.insight-<version>.zip from OME's downloads (not the "
        "installer, not OMERO.importer) in appstream.insight.archive."
    )


def check_runtime(path: Path) -> tuple[str, str]:
    """The folder in the zip that Java is in, and its version.

    Raises:
        Refused: it is no Java runtime for Windows on x64, or too old.
    """
    with _opened(path, "appstream.insight.runtime") as archive:
        found = set(archive.namelist())
        starts = sorted(
            (name.removesuffix("bin/javaw.exe") for name in found if name.endswith("bin/javaw.exe")), key=len
        )
        if not starts:
            raise _no_runtime(path, "it has no bin/javaw.exe")
        root = starts[0]
        if f"{root}release" not in found:
            raise _no_runtime(path, "it has no release file with its version and system")
        text = archive.read(f"{root}release").decode("utf-8", "replace")
    values = dict(re.findall(r'^([A-Z_]+)="?([^"\r\n]*)"?', text, re.MULTILINE))
    version, system, machine = (values.get(key, "") for key in ("JAVA_VERSION", "OS_NAME", "OS_ARCH"))
    if "windows" not in system.lower() or machine not in ("x86_64", "amd64"):
        raise _no_runtime(path, f"it is for {system or 'nothing'} on {machine or 'nothing'}")
    major = re.match(r"(?:1\.)?(\d+)", version)
    if not major or int(major[1]) < LEAST_JAVA:
        raise _no_runtime(path, f"it is Java {version or 'of unknown version'}")
    return root, version


def _no_runtime(path: Path, why: str) -> Refused:
    return Refused(
        f"{path} is not a Java runtime that OMERO.insight can use: {why}; give the zip of a JRE, version {LEAST_JAVA} "
        "or later, for Windows on x64, such as Eclipse Temurin's, in appstream.insight.runtime."
    )


def _opened(path: Path, key: str) -> zipfile.ZipFile:
    """Raises Refused for what is no zip, and for names that would leave the folder it is unpacked into."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise Refused(f"{path} cannot be read as a zip ({error}); give another in {key}.") from None
    for info in archive.infolist():
        parts = PurePosixPath(info.filename.replace("\\", "/")).parts
        is_link = stat.S_ISLNK(info.external_attr >> 16)
        if is_link or ".." in parts or PurePosixPath(info.filename).is_absolute() or ":" in info.filename:
            archive.close()
            raise Refused(
                f"{path} has the entry {info.filename!r}, which would be unpacked outside its folder; give another in "
                f"{key}."
            )
    return archive


def preset_config(text: bytes, preset: Preset) -> bytes:
    """A configuration of OMERO.insight, with the server that people cannot change, all data encrypted.

    Raises:
        Refused: it has no entry for the server.
    """
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))  # noqa: S314 - see below
    root = ElementTree.fromstring(text, parser=parser)  # noqa: S314 - of an archive whose checksum is given
    server = root.find(".//structuredEntry[@name='/services/OMERODS']")
    if server is None:
        raise Refused("OMERO.insight's configuration has no entry /services/OMERODS; give another archive.")
    values = {"hostName": preset.host, "portSSL": str(preset.port), "encrypted": "true"}
    for tag, value in values.items():
        element = server.find(tag)
        if element is None:
            element = ElementTree.SubElement(server, tag)
        element.text = value
        if tag != "portSSL":
            element.set("configurable", "false")
    folder = root.find(".//entry[@name='/services/FS/defaultDirectory']")
    if folder is not None and preset.folder:
        folder.text = preset.folder
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def assemble(*, insight: Path, runtime: Path, preset: Preset, target: Path) -> str:
    """Write the archive that instances unpack: `insight/` and `runtime/`. Gives its SHA-256.

    Raises:
        Refused: one of the two is not what it must be, or the archive is too large.
    """
    insight_root, version = check_insight(insight)
    runtime_root, java = check_runtime(runtime)
    console.say(f"packing OMERO.insight {version} with Java {java}")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for name, source in _entries(insight, insight_root):
            if PurePosixPath(name).parent == PurePosixPath("config") and PurePosixPath(name).name in CONFIGS:
                out.writestr(_info(f"insight/{name}"), preset_config(source.read(), preset))
            else:
                _copy(source, out, f"insight/{name}")
        for name, source in _entries(runtime, runtime_root):
            _copy(source, out, f"runtime/{name}")
    if (size := target.stat().st_size) > MOST_BYTES:
        raise Refused(
            f"OMERO.insight and Java make an archive of {size / 1e9:.2f} GB, and an instance has 120 s to download it; "
            f"the maximum is {MOST_BYTES / 1e9:.1f} GB, so give a JRE instead of a JDK in appstream.insight.runtime."
        )
    return sha256_of(target)


def _entries(path: Path, root: str) -> Iterator[tuple[str, zipfile.ZipExtFile]]:
    """(name below `root`, what it holds) of each file."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.startswith(root) and not info.is_dir():
                with archive.open(info) as source:
                    yield info.filename.removeprefix(root), source  # type: ignore[misc]


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _ERA)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _copy(source: zipfile.ZipExtFile, out: zipfile.ZipFile, name: str) -> None:
    with out.open(_info(name), "w", force_zip64=True) as target:
        while chunk := source.read(_CHUNK):
            target.write(chunk)


def sha256_of(path: Path) -> str:
    """In 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
