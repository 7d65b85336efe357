#!/usr/local/bin/dumb-init /bin/bash
# As in the image (ome/omero-web-docker, entrypoint.sh): every step of /startup, one after the other.
set -e
source /opt/omero/web/venv3/bin/activate
for step in /startup/*; do
    if [ -f "$step" ] && [ -x "$step" ]; then
        echo "Running $step"
        "$step"
    fi
done
