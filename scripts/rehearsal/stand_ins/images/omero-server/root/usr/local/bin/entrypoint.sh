#!/bin/bash
# Stand-in for the start of the image (ome/omero-server-docker, entrypoint.sh): runs the steps of /startup in order.
set -e
. /opt/omero/server/venv3/bin/activate
for step in /startup/*; do
    if [ -x "$step" ]; then
        echo "Running $step"
        "$step"
    fi
done
