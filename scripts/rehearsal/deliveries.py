"""Small files of many formats, as far as Bio-Formats opens them: made after what its readers look for."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
# Tags of TIFF 6.0.
DESCRIPTION, SOFTWARE = 270, 305
PIXELS = bytes(1024)


def put(path: Path, content: bytes | str) -> Path:
    """A file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def tiff(path: Path, *descriptions: str, more: dict[int, str] | None = None) -> Path:
    """Grey pages of 16 by 16 pixels, each in one strip, little-endian; `more` are tags of the first with text."""
    content = b"II*\0" + struct.pack("<I", 8)
    pages = [{**({DESCRIPTION: each} if each else {})} for each in descriptions or ("",)]
    pages[0].update(more or {})
    for at, texts in enumerate(pages):
        content += _page(len(content), texts, last=at == len(pages) - 1)
    return put(path, content)


def _page(at: int, texts: dict[int, str], *, last: bool) -> bytes:
    entries: list[tuple[int, int, int, bytes | int]] = [
        (256, 3, 1, 16),
        (257, 3, 1, 16),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 0),
        (277, 3, 1, 1),
        (278, 3, 1, 16),
        (279, 4, 1, len(PIXELS)),
        *((tag, 2, len(text.encode()) + 1, text.encode() + b"\0") for tag, text in texts.items()),
    ]
    entries.sort(key=lambda entry: entry[0])
    pixels = at + 2 + 12 * len(entries) + 4
    behind, directory = PIXELS, b""
    for tag, kind, count, value in entries:
        if isinstance(value, bytes) and len(value) > 4:
            held = struct.pack("<I", pixels + len(behind))
            behind += value + bytes(len(value) % 2)
        else:
            held = (
                value.ljust(4, b"\0")
                if isinstance(value, bytes)
                else struct.pack("<I", pixels if tag == 273 else value)
            )
        directory += struct.pack("<HHI", tag, kind, count) + held
    following = b"" if last else struct.pack("<I", pixels + len(behind))
    return struct.pack("<H", len(entries)) + directory + (following or bytes(4)) + behind


def ome_xml(*files: str, names: Sequence[str] | None = None, before: str = "") -> str:
    """OME-XML of as many planes as files; `names` is what it calls them."""
    planes = "".join(
        f'<TiffData FirstT="{at}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{at:08}-0000-0000-0000-'
        f"000000000000</UUID></TiffData>"
        for at, name in enumerate(names or files)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<OME xmlns="{OME}"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        f'DimensionOrder="XYZCT" Type="uint8" SizeX="16" SizeY="16" SizeZ="1" SizeC="1" SizeT="{len(files)}">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
    )


def companion(path: Path, *files: str, names: Sequence[str] | None = None) -> None:
    """A companion with its TIFFs, which lie where `files` says, below its folder."""
    put(path, ome_xml(*files, names=names))
    for each in files:
        tiff(path.parent / each, f'<OME xmlns="{OME}"><BinaryOnly MetadataFile="{path.name}" UUID="urn:uuid:1"/></OME>')


def ome_tiffs(folder: Path, *files: str) -> None:
    """An OME-TIFF in several files, each of which has all of the metadata."""
    for each in files:
        tiff(folder / each, ome_xml(*files))


def dicom(path: Path, *, series: str, instance: int, magic: bool = True) -> Path:
    """One slice (explicit VR, little-endian) of 16 by 16 pixels."""

    def tag(group: int, element: int, kind: str, value: bytes) -> bytes:
        value += (b"\0" if kind == "UI" else b" ") * (len(value) % 2)
        head = struct.pack("<HH", group, element) + kind.encode()
        return head + (struct.pack("<xxI", len(value)) if kind == "OW" else struct.pack("<H", len(value))) + value

    syntax = tag(2, 0x10, "UI", b"1.2.840.10008.1.2.1")
    meta = tag(2, 0, "UL", struct.pack("<I", len(syntax))) + syntax
    short = struct.Struct("<H").pack
    body = b"".join(
        (
            tag(8, 8, "CS", b"ORIGINAL\\PRIMARY"),
            tag(8, 0x16, "UI", b"1.2.840.10008.5.1.4.1.1.2"),
            tag(8, 0x18, "UI", f"{series}.7.{instance}".encode()),
            tag(8, 0x22, "DA", b"20250101"),  # of the acquisition, as the time: without them nothing is grouped
            tag(8, 0x32, "TM", b"120000"),
            tag(8, 0x60, "CS", b"CT"),
            tag(0x20, 0x0E, "UI", series.encode()),
            tag(0x20, 0x11, "IS", series.rpartition(".")[2].encode()),
            tag(0x20, 0x13, "IS", str(instance).encode()),
            tag(0x28, 2, "US", short(1)),
            tag(0x28, 4, "CS", b"MONOCHROME2"),
            tag(0x28, 0x10, "US", short(16)),
            tag(0x28, 0x11, "US", short(16)),
            tag(0x28, 0x100, "US", short(8)),
            tag(0x28, 0x101, "US", short(8)),
            tag(0x28, 0x102, "US", short(7)),
            tag(0x28, 0x103, "US", short(0)),
            tag(0x7FE0, 0x10, "OW", PIXELS),
        )
    )
    return put(path, (bytes(128) + b"DICM" if magic else b"") + meta + body)


def svs(path: Path) -> Path:
    """A slide with its thumbnail, label and macro."""
    text = "Aperio Image Library v11.2.1 \r\n16x16"
    level = f"{text} [0,0 16x16] (16x16)|AppMag = 20|MPP = 0.5"
    return tiff(path, level, level, level, f"{text}\r\nlabel 16x16", f"{text}\r\nmacro 16x16")


def afi(path: Path, *names: str) -> None:
    """A list of slides, one a channel."""
    images = "".join(f"<Image><Path>{name}</Path><ID>{at}</ID></Image>" for at, name in enumerate(names))
    put(path, f"<ImageList>{images}</ImageList>")


def ics(path: Path) -> None:
    """Version 1: the pixels lie beside it."""
    put(
        path,
        f"\t\nics_version\t1.0\nfilename\t{path.stem}\nlayout\tparameters\t3\nlayout\torder\tbits\tx\ty\n"
        "layout\tsizes\t8\t16\t16\nlayout\tcoordinates\tvideo\nlayout\tsignificant_bits\t8\n"
        "representation\tformat\tinteger\nrepresentation\tsign\tunsigned\nrepresentation\tcompression\tuncompressed\n"
        "representation\tbyte_order\t1\nend\n",
    )
    put(path.with_suffix(".IDS" if path.suffix == ".ICS" else ".ids"), PIXELS)


def nhdr(path: Path, data: str) -> None:
    """A detached header and what it names."""
    put(path, f"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 16 16\nencoding: raw\ndata file: {data}\n\n")
    put(path.parent / data, PIXELS)


def analyze(path: Path, suffix: str = ".img") -> None:
    """An Analyze 7.5 header with its pixels."""
    head = bytearray(348)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 4, 16, 16, 1, 1, 1, 1, 1)
    struct.pack_into("<hh", head, 70, 2, 8)
    put(path, bytes(head))
    put(path.with_suffix(suffix), PIXELS)


def nifti(path: Path) -> None:
    """NIfTI-1 in one file, compressed."""
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, 16, 16, 1, 1, 1, 1, 1)
    struct.pack_into("<hh", head, 70, 2, 8)
    struct.pack_into("<f", head, 108, 352)
    head[344:348] = b"n+1\0"
    put(path, gzip.compress(bytes(head) + PIXELS) if path.suffix == ".gz" else bytes(head) + PIXELS)


def operetta(folder: Path, *files: str, index: str = "Index.xml") -> None:
    """A plate of Harmony's."""
    planes = "".join(
        f"<Image><id>0101K1F{at}P1R1</id><URL>{name}</URL><Row>1</Row><Col>1</Col><FieldID>{at}</FieldID>"
        "<PlaneID>1</PlaneID><TimepointID>0</TimepointID><ChannelID>1</ChannelID><ChannelName>DAPI</ChannelName>"
        "<ImageSizeX>16</ImageSizeX><ImageSizeY>16</ImageSizeY></Image>"
        for at, name in enumerate(files, 1)
    )
    put(
        folder / index,
        '<?xml version="1.0" encoding="utf-8"?><EvaluationInputData xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5">'
        "<Plates><Plate><PlateID>P</PlateID><PlateRows>2</PlateRows><PlateColumns>3</PlateColumns></Plate></Plates>"
        f"<Wells><Well><Row>1</Row><Col>1</Col></Well></Wells><Images>{planes}</Images></EvaluationInputData>",
    )
    for name in files:
        tiff(folder / name, more={65500: "<HarmonyImage>Harmony Operetta</HarmonyImage>"})


def htd(path: Path) -> None:
    """A plate of MetaXpress's with two wells and two channels; its TIFFs begin with its name."""
    put(
        path,
        '"HTSInfoFile", Version 1.0\n"Description", ""\n"TimePoints", 1\n"XWells", 2\n"YWells", 1\n'
        '"WellsSelection1", TRUE, TRUE\n"Sites", FALSE\n"XSites", 1\n"YSites", 1\n"Waves", TRUE\n"NWavelengths", 2\n'
        '"WaveName1", "DAPI"\n"WaveName2", "FITC"\n"EndFile"\n',
    )
    suffix = ".TIF" if path.suffix == ".HTD" else ".tif"
    for well in ("A01", "A02"):
        for channel in (1, 2):
            tiff(path.parent / f"{path.stem}_{well}_w{channel}{suffix}")


def metamorph(path: Path) -> None:
    """An `.nd` of two channels with a stack each."""
    put(
        path,
        '"NDInfoFile", Version 1.0\n"Description", File recreated\n"StartTime1", 20250101 12:00:00\n'
        '"DoTimelapse", FALSE\n"DoStage", FALSE\n"DoWave", TRUE\n"NWavelengths", 2\n"WaveName1", "DAPI"\n'
        '"WaveDoZ1", FALSE\n"WaveName2", "FITC"\n"WaveDoZ2", FALSE\n"DoZSeries", FALSE\n"WaveInFileName", TRUE\n'
        '"EndFile"\n',
    )
    for channel, name in enumerate(("DAPI", "FITC"), 1):
        tiff(path.parent / f"{path.stem}_w{channel}{name}.TIF", more={SOFTWARE: "MetaMorph 7.8"})


def micromanager(folder: Path, *files: str) -> None:
    """Micro-Manager's metadata.txt with single TIFFs."""
    frames = ",\n".join(
        f'"FrameKey-{at}-0-0": {{\n"FileName": "{name}",\n"Frame": {at},\n"ChannelIndex": 0,\n"SliceIndex": 0\n}}'
        for at, name in enumerate(files)
    )
    put(
        folder / "metadata.txt",
        '{\n"Summary": {\n"Source": "Micro-Manager",\n"MicroManagerVersion": "1.4",\n"Channels": 1,\n"Slices": 1,\n'
        f'"Frames": {len(files)},\n"Positions": 1,\n"Width": 16,\n"Height": 16,\n"PixelType": "GRAY8",\n'
        f'"ChNames": ["DAPI"]\n}},\n{frames}\n}}\n',
    )
    for name in files:
        tiff(folder / name)


def jpeg(path: Path) -> Path:
    """A JPEG that Java's own library opens: what a .mrxs is, beside its folder."""
    return put(path, bytes.fromhex(_JPEG))


def lei(path: Path, *files: str) -> None:
    """Leica's header: a text in UTF-16 among numbers names the TIFFs."""
    names = b"".join((name + "\0").encode("utf-16-le") for name in files)
    put(path, b"IIII" + bytes(32) + names + bytes(32))


# One grey pixel.
_JPEG = (
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d1a"
    "1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b080001000101011100ffc4001f0000010501010101"
    "010100000000000000000102030405060708090a0bffc400b5100002010303020403050504040000017d01020300041105122131410613516107"
    "227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a"
    "636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7"
    "c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f00fbffd9"
)


def _companion(folder: Path) -> None:
    companion(folder / "a.companion.ome", "a_1.ome.tif", "sub/a_2.ome.tif")
    tiff(folder / "sub" / "alien.tif")


def _entities(folder: Path) -> None:
    companion(folder / "a & 'b'.companion.ome", "a & 'b'_1.ome.tif", names=["a &amp; &apos;b&apos;_1.ome.tif"])


def _ome_tiffs(folder: Path) -> None:
    ome_tiffs(folder, "s_1.ome.tif", "s_2.ome.tif", "s_3.ome.tif")
    ome_tiffs(folder, "own.ome.tif")


def _dicom(folder: Path) -> None:
    for at in range(1, 4):
        dicom(folder / f"a{at}.dcm", series="1.2.3", instance=at)
        dicom(folder / f"IM{at}", series="1.2.4", instance=at)
        dicom(folder / f"1.2.5.{at}", series="1.2.5", instance=at)
    put(folder / "README", "no image")


def _afi(folder: Path) -> None:
    for name in ("s1.svs", "s2.svs", "other.svs"):
        svs(folder / name)
    afi(folder / "a.afi", "s1.svs", "s2.svs")
    afi(folder / "b.afi", "s1.svs")


def _ics(folder: Path) -> None:
    ics(folder / "a.ics")
    ics(folder / "B.ICS")


def _headers(folder: Path) -> None:
    nhdr(folder / "a.nhdr", "a.raw")
    nhdr(folder / "b.nhdr", "other.raw")
    analyze(folder / "c.hdr")
    nifti(folder / "d.nii")
    nifti(folder / "e.nii.gz")


def _harmony(folder: Path) -> None:
    operetta(folder / "plate" / "Images", "r1.tiff", "r2.tiff")
    put(folder / "plate" / "Assay" / "layout.txt", "a")
    tiff(folder / "plate" / "Images" / "alien.tiff")


def _operetta(folder: Path) -> None:
    operetta(folder / "other name", "r1.tiff", "r2.tiff", index="Index.idx.xml")


def _htd(folder: Path) -> None:
    htd(folder / "p.HTD")
    tiff(folder / "p_thumb.tif")
    tiff(folder / "alien.tif")


def _metamorph(folder: Path) -> None:
    metamorph(folder / "e.nd")
    tiff(folder / "other.tif")


def _micromanager(folder: Path) -> None:
    micromanager(folder / "run", "img_0.tif", "img_1.tif")
    tiff(folder / "run" / "z.tif")  # with a name before theirs, OMERO's importer finds nothing at all
    put(folder / "letter" / "metadata.txt", "of something else")
    tiff(folder / "letter" / "a.tif")


def _positions(folder: Path) -> None:
    for name in ("Pos_0", "Pos_1"):
        micromanager(folder / "x" / name, "img_0.tif")
    micromanager(folder / "y" / "Pos0", "img_0.tif")


def _lei(folder: Path) -> None:
    lei(folder / "exp.lei", "exp_0.tif", "exp_1.tif")
    for name in ("exp_0.tif", "exp_1.tif"):
        tiff(folder / name)
    svs(folder / "patient7.svs")
    svs(folder / "alice" / "patient8.svs")


def oir(path: Path, *parts: int) -> None:
    """The beginning of one (what tells its type), and of the files that it goes on in."""
    put(path, b"OLYMPUSRAWFORMAT" + bytes(64))
    for part in parts:
        put(path.with_name(f"{path.stem}_{part:05}"), bytes(64))


def _singles(folder: Path) -> None:
    svs(folder / "a.svs")
    tiff(folder / "b.tif")
    jpeg(folder / "c.jpg")
    put(folder / "d.fake", "x")
    put(folder / "e.ome.xml", ome_xml("x.tif"))
    put(folder / "notes.txt", "no image")


DELIVERIES: dict[str, Callable[[Path], object]] = {
    each.__name__.strip("_"): each
    for each in (
        *(_companion, _entities, _ome_tiffs, _dicom, _afi, _ics, _headers, _harmony, _operetta, _htd, _metamorph),
        *(_micromanager, _positions, _lei, _singles),
    )
}

SEVERAL: dict[str, Callable[[Path], object]] = {
    "OME companion": lambda folder: companion(folder / "a.companion.ome", "a_1.ome.tif", "a_2.ome.tif"),
    "OME-TIFF": lambda folder: ome_tiffs(folder, "s_1.ome.tif", "s_2.ome.tif", "s_3.ome.tif"),
    "DICOM": lambda folder: [dicom(folder / f"a{at}.dcm", series="1.2.3", instance=at) for at in (1, 2, 3)],
    "AFI": lambda folder: afi(folder / "a.afi", svs(folder / "s1.svs").name, svs(folder / "s2.svs").name),
    "ICS": lambda folder: ics(folder / "a.ics"),
    "NRRD": lambda folder: nhdr(folder / "a.nhdr", "a.raw"),
    "Analyze": lambda folder: analyze(folder / "c.hdr"),
    "Harmony": lambda folder: operetta(folder / "Images", "r1.tiff", "r2.tiff"),
    "Operetta": lambda folder: operetta(folder, "r1.tiff", "r2.tiff", index="Index.idx.xml"),
    "MetaXpress": lambda folder: htd(folder / "p.HTD"),
    "MetaMorph": lambda folder: metamorph(folder / "e.nd"),
    "Micro-Manager": lambda folder: micromanager(folder, "img_0.tif", "img_1.tif"),
}
"""Formats of several files: each makes one fileset in a folder."""

FEW = len(SEVERAL)
"""Of a way in: one of each format."""
