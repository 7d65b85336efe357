"""The apps that OMERO.web's stock image carries, and what switches each on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

App = Literal["figure", "iviewer", "mapr", "parade", "autotag", "tagsearch", "fpbioimage"]

# 01-default-webapps.omero of ome/omero-web-docker, which switches all but the last on, and omero-fpbioimage's README.
_ENTRIES: Mapping[App, Mapping[str, Sequence[Any]]] = {
    "figure": {
        "omero.web.apps": ["omero_figure"],
        "omero.web.open_with": [
            [
                "omero_figure",
                "new_figure",
                {"supported_objects": ["images"], "target": "_blank", "label": "OMERO.figure"},
            ]
        ],
        "omero.web.ui.top_links": [
            ["Figure", "figure_index", {"title": "Open Figure in new tab", "target": "_blank"}],
        ],
    },
    "iviewer": {
        "omero.web.apps": ["omero_iviewer"],
        "omero.web.open_with": [
            [
                "omero_iviewer",
                "omero_iviewer_index",
                {
                    "supported_objects": ["images", "dataset", "well"],
                    "script_url": "omero_iviewer/openwith.js",
                    "label": "OMERO.iviewer",
                },
            ]
        ],
    },
    "mapr": {
        "omero.web.apps": ["omero_mapr"],
        "omero.web.mapr.config": [
            {
                "menu": "anyvalue",
                "config": {
                    "default": ["Any Value"],
                    "all": [],
                    "ns": ["openmicroscopy.org/omero/client/mapAnnotation"],
                    "label": "Any",
                },
            }
        ],
        "omero.web.ui.top_links": [["Mapr", {"viewname": "maprindex_anyvalue"}, {"title": "Find Any Value"}]],
    },
    "parade": {
        "omero.web.apps": ["omero_parade"],
        "omero.web.ui.center_plugins": [["Parade", "omero_parade/init.js.html", "omero_parade"]],
    },
    "autotag": {
        "omero.web.apps": ["omero_autotag"],
        "omero.web.ui.center_plugins": [["Auto Tag", "omero_autotag/auto_tag_init.js.html", "auto_tag_panel"]],
    },
    "tagsearch": {
        "omero.web.apps": ["omero_tagsearch"],
        "omero.web.ui.top_links": [["Tag Search", "tagsearch"]],
    },
    "fpbioimage": {
        "omero.web.apps": ["omero_fpbioimage"],
        "omero.web.open_with": [
            [
                "omero_fpbioimage",
                "fpbioimage_index",
                {"script_url": "fpbioimage/openwith.js", "supported_objects": ["image"], "label": "FPBioimage"},
            ]
        ],
    },
}

# What omero-web 5.31.1 has without any app (settings.py).
_WITHOUT: Mapping[str, Sequence[Any]] = {
    "omero.web.apps": [],
    "omero.web.mapr.config": [],
    "omero.web.open_with": [
        [
            "Image viewer",
            "webgateway",
            {"supported_objects": ["image"], "script_url": "webclient/javascript/ome.openwith_viewer.js"},
        ]
    ],
    "omero.web.ui.center_plugins": [],
    "omero.web.ui.top_links": [
        ["Data", "webindex", {"title": "Browse Data via Projects, Tags etc"}],
        ["History", "history", {"title": "History"}],
    ],
}
_LAST_LINK = [
    "Help",
    "https://help.openmicroscopy.org/",
    {"title": "Open OMERO user guide in a new tab", "target": "new"},
]
_VIEWERS = {True: "omero_iviewer.views.index", False: "omeroweb.webclient.views.image_viewer"}


def switched_on(apps: Sequence[App]) -> dict[str, str]:
    """OMERO.web's properties with these apps and no others.

    They are set, and so replace what the image's own configuration appends: all of it is in here. What a workspace
    appends comes after them.
    """
    found = {name: list(entries) for name, entries in _WITHOUT.items()}
    for app in apps:
        for name, entries in _ENTRIES[app].items():
            found[name] += entries
    found["omero.web.ui.top_links"].append(_LAST_LINK)
    values = {name: json.dumps(entries, ensure_ascii=False) for name, entries in found.items()}
    return {**values, "omero.web.viewer.view": _VIEWERS["iviewer" in apps]}
