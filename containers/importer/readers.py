"""What Bio-Formats reads: its readers, their suffixes, and how those with several files group them.

Facts of Bio-Formats: `readers.txt`, and of each reader its suffixes, `isThisType`, `initFile` and `getSeriesUsedFiles`
(components/formats-bsd and formats-gpl of ome/bioformats). `readers.txt` and the suffixes are the same in 7.3.1, which
tests/containers/importer/test_bioformats.py asks, and in 8.1.0's sources; OMERO.server 5.6.18 has 8.5.0.
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """How a reader finds the files of one image, from its main file on. All names are compared without their case.

    `main` are patterns of the main file's name. `says`: one of these is at its beginning, where its name is not enough.
    `files` are patterns of its other files, from its folder on, with `{stem}` and `{name}`; `folder/**` is all that is
    below a folder. `names` are suffixes of files that its text names, in its folder or below; `through` are suffixes of
    those whose text names more; `but` are patterns of files that it does not take all the same. `needs`: without other
    files it is no image.
    """

    reader: str
    main: tuple[str, ...]
    files: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    through: tuple[str, ...] = ()
    says: tuple[bytes, ...] = ()
    but: tuple[str, ...] = ()
    needs: bool = False


class Together(NamedTuple):
    """Files of a reader's that may be one image, which only their content tells: OMERO is given all of them at once.

    `main` are patterns of their names; `folder` of their folder's, whose neighbours may then belong to it as well;
    `beside` of a file that has to be there.
    """

    reader: str
    main: tuple[str, ...]
    folder: str = ""
    beside: str = ""


TIFF = ("tif", "tiff")
OME_TIFF = (*TIFF, "tf2", "tf8", "btf")
# In this order: a file may be one of several files of an image of its own rule, or of one before it.
RULES = (
    Rule("OMETiffReader", ("*.companion.ome",), names=OME_TIFF, needs=True),
    # `Index.xml` of Harmony; its TIFFs open only through `Index.idx.xml`.
    Rule(
        "OperettaReader",
        ("index.idx.xml", "index.ref.xml", "index.xml"),
        names=TIFF,
        says=(b"harmony", b"operett", b"phenix"),
        needs=True,
    ),
    Rule("ColumbusReader", ("measurementindex.columbusidx.xml",), names=(*TIFF, "flex", "xml"), through=("xml",)),
    Rule(
        "CV7000Reader",
        ("*.wpi",),
        files=("measurementdata.mlf", "measurementdetail.mrf", "*.wpp", "*.mes"),
        names=TIFF,
        through=("mlf",),
    ),
    Rule("InCellReader", ("*.xdce",), files=("*.xlog",), names=(*TIFF, "im", "jpg"), says=(b"in cell", b"cytell")),
    Rule("ScanrReader", ("experiment_descriptor.xml",), files=("data/*.tif", "*.dat", "acquisitionlog.dat")),
    Rule("CellVoyagerReader", ("measurementresult.xml",), files=("image/*.tif", "measurementresult.ome.xml")),
    Rule("BDReader", ("experiment.exp",), files=("well */**",), needs=True),
    Rule(
        "MetaxpressTiffReader, CellWorxReader",
        ("*.htd",),
        files=("{stem}_*.tif", "{stem}_*.tiff", "timepoint_*/**", "{stem}_*.pnl", "{stem}_*.log"),
        needs=True,
    ),
    # Of a folder with this file no TIFF is an image of its own; OME-TIFFs are.
    Rule(
        "MicromanagerReader",
        ("metadata.txt",),
        files=("*.tif", "*.tiff"),
        but=("*.ome.*",),
        says=(b"micro-manager", b"micromanager"),
        needs=True,
    ),
    Rule("LeicaReader", ("*.lei",), names=(*TIFF, "raw"), needs=True),
    Rule(
        "MetamorphReader",
        ("*.nd",),
        files=tuple(f"{{stem}}{part}.{each}" for part in ("", "_[wst][0-9]*") for each in ("stk", *TIFF)),
        needs=True,
    ),
    Rule("PrairieReader", ("*.xml",), files=("{stem}.cfg", "{stem}.env"), names=TIFF, says=(b"<pvscan",), needs=True),
    Rule("BDVReader", ("*.xml",), names=("h5",), says=(b"<spimdata",), needs=True),
    Rule(
        "XLEFReader",
        ("*.xlef",),
        names=("xlif", "xlcf", "xllf", "lof", "jpg", "png", "bmp", *TIFF),
        through=("xlif", "xlcf", "xllf"),
        needs=True,
    ),
    Rule("AFIReader", ("*.afi",), names=("svs",), needs=True),
    Rule("NDPISReader", ("*.ndpis",), names=("ndpi",), needs=True),
    Rule("HamamatsuVMSReader", ("*.vms",), files=("{stem}*.jpg", "{stem}*.opt"), names=("jpg", "opt")),
    Rule("OlympusTileReader", ("*.omp2info",), names=("oir", "vsi", *TIFF, "xml", "bmp"), needs=True),
    Rule("CellSensReader", ("*.vsi",), files=("_{stem}_/**",)),
    Rule("FV1000Reader", ("*.oif",), files=("{name}.files/**",)),
    Rule("VolocityReader", ("*.mvd2",), files=tuple(f"data/*.{each}" for each in ("aisf", "atsf", "aiix", "dat"))),
    Rule("SlideBook7Reader", ("*.sldy",), files=("{stem}.dir/**",)),
    Rule("OIRReader", ("*.oir",), files=("{stem}_[0-9][0-9][0-9][0-9][0-9]",)),
    Rule("ZeissCZIReader", ("*.czi",), files=("{stem}(*).czi", "{stem} (*).czi")),
    Rule("DeltavisionReader", ("*.dv", "*.r3d", "*.r3d_d3d"), files=("{name}.log", "{stem}.log")),
    Rule("SPCReader", ("*.spc",), files=("{stem}.set",)),
    Rule("ICSReader", ("*.ics",), files=("{stem}.ids",)),
    Rule("NRRDReader", ("*.nhdr",), files=("{stem}.raw", "{stem}.raw.gz"), names=("raw", "gz")),
    Rule("NiftiReader, AnalyzeReader, PDSReader", ("*.hdr",), files=("{stem}.img",), needs=True),
    Rule("ImagicReader", ("*.hed",), files=("{stem}.img",), needs=True),
    Rule("FujiReader", ("*.inf",), files=("{stem}.img",), needs=True),
    Rule("PCORAWReader", ("*.pcoraw",), files=("{stem}.rec",)),
    Rule("APLReader", ("*.mtb",), files=("{stem}.apl", "{stem}.tnb")),
    Rule("VisitechReader", ("*.html",), files=("{stem} *.xys",), needs=True),
    Rule("VectraReader", ("*.qptiff",), files=("*_annotations.xml",)),
    # Each of them names all of them in its description.
    Rule("OMETiffReader", tuple(f"*.ome.{each}" for each in OME_TIFF), names=OME_TIFF),
)
TOGETHER = (
    Together("DicomReader", ("*.dcm", "*.dic", "*.dicom", "*.ima")),
    Together("FlexReader", ("*.flex",)),
    Together("CellomicsReader", ("*.c01", "*.dib")),
    Together("KLBReader", ("*.klb",), folder="*_timefused*"),
    Together("MicromanagerReader", ("metadata.txt",), folder="*pos_*"),
    Together("MIASReader", ("*.tif", "*.tiff"), folder="well*"),
    Together("ZeissLSMReader", ("*.lsm",), beside="*.mdb"),
)
# Folders from which a reader looks into the one above: the plate of Operetta's `Images`, of MIAS's wells, of
# Micro-Manager's positions, of KLB's times.
INNER = ("images", "well*", "results", "*pos_*", "*_timefused*")

# Suffixes of Bio-Formats' that are no image by themselves here, unless a rule above takes the file: those of texts and
# of what lies beside an image; and those that other programs' files have too, of which a laboratory's folders are full.
# The latter are counted apart.
BESIDE = frozenset(
    """
    ano apl aiix aisf atsf cfg csv dv.log env ets htm html ids inf log lut mdb mea pst pty r3d.log res scan set tim tnb
    txt xlog xml zpo
    """.split()  # noqa: SIM905 - one a line would fill a page
)
COMMON = frozenset(
    """
    bin cif dat db exp h5 hdr hed img ips labels map par pattern raw rec seq spl thm top v wav zip
    """.split()  # noqa: SIM905
)
# What Bio-Formats in OMERO.server's image has no reader of, with what makes something of it that has one. The first is
# opened as a JPEG, which is its thumbnail (JPEGReader); its slide lies in a folder of its name.
NO_READER = {
    "mrxs": "QuPath, or `bioformats2raw` and `raw2ometiff`, make an OME-TIFF of it",
    "isyntax": "`isyntax2raw` and `raw2ometiff` make an OME-TIFF of it",
    "zarr": "`raw2ometiff` makes an OME-TIFF of it",
}
NO_READER_FOLDERS = {"mrxs": "{stem}"}

# Each reader with its suffixes, in the order in which they are asked; those without any know their files by content.
_READERS = """
FilePattern: pattern | Zip: zip | APNG: png | JPEG: jpg jpeg jpe | SlideBook7: sldy | PGM: pbm pgm ppm
Fits: fits fts | PCX: pcx | GIF: gif | BMP: bmp | IPLab: ipl | Ivision: ipm | RCPNL: rcpnl
Deltavision: dv r3d r3d_d3d dv.log r3d.log | MRC: mrc st ali map rec mrcs | Gatan: dm3 dm4 | GatanDM2: dm2
Imaris: ims | OpenlabRaw: raw | OMEXML: ome ome.xml | LIF: lif | AVI: avi | Pict: pict pct | SDT: sdt | SPC: spc set
EPS: eps epsi ps | Slidebook: sld spl | Alicona: al3d | MNG: mng | Khoros: xv | Visitech: xys html | LIM: lim
PSD: psd | InCell: xdce xml tiff tif xlog | L2D: l2d scn tif | FEI: img | NAF: naf | MINC: mnc | QT: mov | MRW: mrw
TillVision: vws pst inf | ARF: arf | Cellomics: c01 dib | LiFlim: fli | Targa: tga | OxfordInstruments: top
VGSAM: dti | HIS: his | WATOP: wat | Seiko: xqd xqf | Topometrix: tfr ffr zfr zfp 2fl | UBM: pr3 | Quesant: afm
BioRadGel: 1sc | RHK: sm2 sm3 | MolecularImaging: stp | CellWorx: pnl htd log | MetaxpressTiff: htd tif | Ecat7: v
VarianFDF: fdf | AIM: aim | InCell3000: frm | Spider: spi | Volocity: mvd2 aisf aiix dat atsf | Imagic: hed img
HamamatsuVMS: vms | CellSens: vsi ets | INR: inr | Kodak: bip | VolocityClipping: acff | ZeissCZI: czi | SIF: sif
NDPIS: ndpis | Povray: df3 | IMOD: mod | Fake: fake | AFI: afi | Imspector: msr | BioRadSCN: scn | ZeissLMS: lms
PQBin: bin | FlowSight: cif | IM3: im3 | I2I: i2i | SPE: spe | OIR: oir | KLB: klb | MicroCT: vff | LOF: lof
XLEF: xlef | OlympusTile: omp2info | JEOL: dat img par | Nifti: nii img hdr nii.gz | Analyze: img hdr
APL: apl tnb mtb tif | NRRD: nrrd nhdr | ICS: ics ids | PerkinElmer: ano cfg csv htm rec tim zpo tif
Amira: am amiramesh grey hx labels | Scanr: dat xml tif | BD: exp tif | Unisoku: hdr dat | PDS: hdr img
Fuji: img inf | Operetta: tif tiff xml | Inveon: hdr | CellVoyager: tif xml | Columbus: xml | CV7000: wpi
BioRad: pic xml raw | FV1000: oib oif pty lut | ZeissZVI: zvi | IPW: ipw | JPEG2000: jp2 j2k jpf | JPX: jpx
ND2: nd2 jp2 | PCI: cxd | ImarisHDF: ims | CellH5: ch5 | Veeco: hdf | Tecan: db | ZeissLSM: lsm mdb | SEQ: seq ips
Gel: gel | ImarisTiff: ims | Flex: flex mea res | SVS: svs | Imacon: fff | LEO: sxm tif tiff | JPK: jpk | NDPI: ndpi
PCORAW: pcoraw rec | Ventana: bif | OMETiff: ome.tiff ome.tif ome.tf2 ome.tf8 ome.btf companion.ome
PyramidTiff: tif tiff | MIAS: tif tiff txt | TCS: tif tiff xml | Leica: lei tif tiff raw | Nikon: nef tif tiff
Fluoview: tif tiff | Prairie: tif tiff cfg env xml | Metamorph: stk nd scan tif tiff
Micromanager: tif tiff txt xml | ImprovisionTiff: tif tiff | MetamorphTiff: tif tiff | NikonTiff: tif tiff
MikroscanTiff: tif tiff | PhotoshopTiff: tif tiff | FEITiff: tif tiff | SimplePCITiff: tif tiff
NikonElementsTiff: tif tiff | Trestle: tif | SIS: tif tiff | DNG: cr2 crw jpg thm wav tif tiff | ZeissTIFF: tif xml
LeicaSCN: scn | Vectra: tiff tif qptiff | SlidebookTiff: tif tiff | IonpathMIBITiff: tif tiff
Dicom: dic dcm dicom jp2 j2ki j2kr raw ima | Hitachi: txt | TiffDelegate: tif tiff tf2 tf8 btf | Text: txt csv
Burleigh: img | Openlab: liff | SMCamera: | SBIG: | HRDGDF: | Bruker: | CanonRaw: cr2 crw jpg thm wav | OBF: obf msr
BDV: xml h5
"""
READERS: dict[str, tuple[str, ...]] = {
    name.strip() + "Reader": tuple(suffixes.split())
    for name, _, suffixes in (
        each.partition(":") for line in _READERS.split("\n") for each in line.split("|") if each.strip()
    )
}
# What is an image by its suffix.
SUFFIXES = frozenset(suffix for suffixes in READERS.values() for suffix in suffixes) - BESIDE - COMMON
