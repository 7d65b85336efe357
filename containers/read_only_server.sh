# Starts a read-only server: all that its image runs at the start but the script that upgrades the database, or makes
# one if it cannot read it. It waits until a read-write server of the same image has been well: that makes or upgrades the
# database, and the repository (openmicroscopy#5684). Later on it does not depend on one.
set -eu
omero=/opt/omero/server/venv3/bin/omero
@server_paths.sh
@directory.sh
# server.sh writes it. ECS's grace period for failed health checks ends this, if nothing else does.
until [ "$(cat /OMERO/.omero-on-aws/well 2>/dev/null)" = "$SERVER_IMAGE" ]; do
    echo "waiting until a read-write server of the image $SERVER_IMAGE has started"
    sleep 15
done
skipped=/startup/60-database.sh
own_settings() {
    # As in server.sh.
    "$omero" config set -- omero.upgrades.url ""
    # The image makes certificates at every start, in /OMERO, where this server cannot write: it would have those that the
    # read-write server has made, until they expire a year after that has started. omero-certificates makes them anew
    # where this property says.
    if grep -qs "^certificates" /opt/omero/server/config/*.omero; then
        "$omero" config set -- omero.glacier2.IceSSL.DefaultDir "$OMERO_TMPDIR/certs"
        "$omero" certificates
    fi
}
@server_run.sh
