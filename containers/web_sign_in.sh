# Starts OMERO.web by its image's own entry, once it has the app `containers.sign_in` (from the variable PROGRAM). The
# image's settings append to the list of apps too: as a variable, CONFIG_omero_web_apps would replace it.
set -eu
web=/opt/omero/web
own=/tmp/omero-on-aws
"$web/venv3/bin/python" - "$own" <<'END'
import base64, io, os, sys, tarfile
tarfile.open(fileobj=io.BytesIO(base64.b64decode(os.environ["PROGRAM"]))).extractall(sys.argv[1])
END
unset PROGRAM
export PYTHONPATH="$own$(printenv PYTHONPATH | sed 's/^/:/')"
"$web/venv3/bin/omero" config append -- omero.web.apps '"containers.sign_in"'
exec /usr/local/bin/entrypoint.sh
