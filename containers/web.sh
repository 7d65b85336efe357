# Starts OMERO.web by the steps of its image, with settings of ours that are made once the image's are, and lets what is
# under way end when ECS stops the container. bash is where SIGTERM comes to: the image's own entry passes it to the
# whole process group, ends with its bash, and gunicorn with it.
set -eu
web=/opt/omero/web
gunicorn=$web/OMERO.web/var/django.pid
# Without gunicorn there is nothing under way.
trap 'if [ -e "$gunicorn" ]; then kill -TERM "$(cat "$gunicorn")"; else exit 0; fi' TERM
for needed in "$web/venv3/bin/activate" "$web/venv3/bin/omero" "$web/OMERO.web/var" /startup/50-config.py /startup/99-run.sh; do
    if [ ! -e "$needed" ]; then
        echo "error: the image $WEB_IMAGE has no $needed, by which OMERO.web is started: give omero.web.image one that" \
            "is made like openmicroscopy/omero-web-standalone" >&2
        exit 1
    fi
done
set +u; . "$web/venv3/bin/activate"; set -u
if [ -n "$(printenv CONFIG_omero_web_caches)" ] && ! python -c "from redis import CredentialProvider" 2>/dev/null; then
    echo "error: the image $WEB_IMAGE has no Python package redis of version 4.5 or newer, by which OMERO.web's sessions" \
        "reach the cache: add it to the image, or set omero.web.sessions to null" >&2
    exit 1
fi
# Python modules of ours, for OMERO.web and gunicorn, before those that the image has on its path.
own=/tmp/omero-on-aws
python - "$own" <<'END'
import base64, io, os, sys, tarfile
tarfile.open(fileobj=io.BytesIO(base64.b64decode(os.environ["PROGRAM"]))).extractall(sys.argv[1])
END
unset PROGRAM
export PYTHONPATH="$own$(printenv PYTHONPATH | sed 's/^/:/')"
# `omero load` takes them after 50-config.py, so that they come on top of what the image and the environment have. The
# image's own folder of such files belongs to root. No check for a newer OMERO: no security group lets it out, and each
# log-in would wait for it. ECS does not take an empty variable (terraform-provider-aws issue 39533).
settings=$own/own.omero
cat >"$settings" <<'END'
config set -- omero.web.upgrades.url ""
config append -- omero.web.django_additional_settings '["LOGGING_CONFIG", "containers.web.logs.configure"]'
END
if [ -n "$(printenv CONFIG_omero_web_caches)" ]; then
    # Around Django's own middleware for sessions, which has index 3 (omeroweb/settings.py).
    cat >>"$settings" <<'END'
config append -- omero.web.middleware '{"index": 2.5, "class": "containers.web.sessions.away_is_503"}'
END
fi
# What the workspace appends to OMERO's lists, and the app by which the load balancer signs people in.
if [ -n "$(printenv APPENDED_PROPERTIES)" ]; then
    printenv APPENDED_PROPERTIES >>"$settings"
fi
for step in /startup/*; do
    if [ -f "$step" ] && [ -x "$step" ] && [ "$step" != /startup/99-run.sh ]; then
        echo "Running $step"
        "$step"
        if [ "$step" = /startup/50-config.py ]; then
            omero load "$settings"
        fi
    fi
done
echo "Running /startup/99-run.sh"
/startup/99-run.sh &
# A signal ends `wait`, and not what it waits for.
while kill -0 $! 2>/dev/null; do
    wait $! && code=0 || code=$?
done
exit "$code"
