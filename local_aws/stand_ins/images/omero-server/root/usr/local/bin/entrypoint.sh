#!/bin/bash
# Stand-in for the start of the server: it runs in the foreground until it is stopped.
exec /opt/omero/server/venv3/bin/omero admin start --foreground
