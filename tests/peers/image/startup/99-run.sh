#!/bin/bash
# As in the image: OMERO.web, in the foreground.
set -eu
export PATH="/opt/omero/web/venv3/bin:$PATH"
cd /opt/omero/web
echo "Starting OMERO.web"
exec /opt/omero/web/venv3/bin/python /opt/omero/web/venv3/bin/omero web start --foreground
