# Starts a read-only server: all that its image runs at the start but the script that upgrades the database, or makes
# one if it cannot read it. Logs as in server.sh; there is no DropBox in a server that cannot import. It waits until a
# read-write server of the same image has been well: that makes or upgrades the database, and the repository
# (openmicroscopy#5684). Later on it does not depend on one.
set -eu
@server_paths.sh
@directory.sh
# server.sh writes it. ECS's grace period for failed health checks ends this, if nothing else does.
until [ "$(cat /OMERO/.omero-on-aws/well 2>/dev/null)" = "$SERVER_IMAGE" ]; do
    echo "waiting until a read-write server of the image $SERVER_IMAGE has started"
    sleep 15
done
tail -n +1 -F /opt/omero/server/OMERO.server/var/log/Blitz-0.log 2>/dev/null | sed -u "s/^/Blitz-0.log | /" &
exec /usr/local/bin/dumb-init /bin/bash -c '
    set -eu
    set +u; . /opt/omero/server/venv3/bin/activate; set -u
    for step in /startup/*; do
        if [ -x "$step" ] && [ "$step" != /startup/60-database.sh ]; then
            echo "Running $step"
            "$step"
        fi
    done
'
