#!/bin/bash
# Stand-in for the start of the server: it takes the files of settings, and runs in the foreground until it is stopped.
omero=/opt/omero/server/venv3/bin/omero
for file in /opt/omero/server/config/*.omero; do
    [ ! -f "$file" ] || "$omero" load "$file"
done
exec "$omero" admin start --foreground
