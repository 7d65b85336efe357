# Starts the read-write server as its image does, and copies two of OMERO's own logs to the container's, which go
# to CloudWatch: each line with the name of its file before it. OMERO makes the files when it starts.
set -eu
@server_paths.sh
# Which NFS client this is: the importer beside compares it with its own (ADR 15).
mkdir -p /OMERO/.omero-on-aws
echo "$(cat /proc/sys/kernel/random/boot_id) $(stat -c %d /OMERO/)" >/OMERO/.omero-on-aws/mount.new
mv /OMERO/.omero-on-aws/mount.new /OMERO/.omero-on-aws/mount
@directory.sh
# What `dropbox` has set: the image reads the files of its folder, and its environment goes before them.
/opt/omero/server/venv3/bin/python - <<'END' || true
@dropbox_settings.py
END
for name in Blitz-0 DropBox; do
    tail -n +1 -F "/opt/omero/server/OMERO.server/var/log/$name.log" 2>/dev/null | sed -u "s/^/$name.log | /" &
done
# What read-only servers wait for: that a server of their image has been well on this repository and its database.
(
    until /opt/omero/server/venv3/bin/omero admin status >/dev/null 2>&1; do sleep 5; done
    echo "$SERVER_IMAGE" >/OMERO/.omero-on-aws/well.new
    mv /OMERO/.omero-on-aws/well.new /OMERO/.omero-on-aws/well
) &
exec /usr/local/bin/entrypoint.sh
