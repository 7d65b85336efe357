# Part of server.sh and read_only_server.sh: an image of one's own may lack what they use of OME's, and says so at once.
# 60-database.sh is among them because a read-only server skips it by that name.
for needed in /opt/omero/server/venv3/bin/activate /opt/omero/server/venv3/bin/omero /opt/omero/server/OMERO.server/var \
    /startup/50-config.py /startup/60-database.sh /startup/99-run.sh; do
    if [ ! -e "$needed" ]; then
        echo "error: the image $SERVER_IMAGE has no $needed, by which OMERO.server is started: give omero.server.image" \
            "one that is made like openmicroscopy/omero-server" >&2
        exit 1
    fi
done
# Java's folder for temporary files since OMERO.server 5.6.17, which does not start without it: an empty volume hides
# the one of the image (ome/openmicroscopy issue 6448).
if ! mkdir -p /opt/omero/server/OMERO.server/var/tmp; then
    echo "error: the image $SERVER_IMAGE does not let its user write /opt/omero/server/OMERO.server/var, where OMERO.server" \
        "keeps temporary files: give omero.server.image one that runs as omero-server, as OME's does" >&2
    exit 1
fi
