#!/bin/bash
# Stand-in: the server, in the foreground until it is stopped.
exec /opt/omero/server/venv3/bin/omero admin start --foreground
