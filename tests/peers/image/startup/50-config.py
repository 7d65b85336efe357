#!/usr/bin/env python
"""As in the image: the files of /opt/omero/web/config, and then every variable that begins with CONFIG_."""

import os
import re
import subprocess

OMERO = "/opt/omero/web/venv3/bin/omero"

subprocess.run([OMERO, "load", "--glob", "/opt/omero/web/config/*.omero"], check=True)
for variable, value in os.environ.items():
    if variable.startswith("CONFIG_"):
        dotted = re.sub("([^_])_([^_])", r"\1.\2", variable.removeprefix("CONFIG_"))
        subprocess.run([OMERO, "config", "set", "--", re.sub("__", "_", dotted), value], check=True)
