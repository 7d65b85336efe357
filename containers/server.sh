# Starts the read-write server as its image does.
set -eu
@server_paths.sh
omero=/opt/omero/server/venv3/bin/omero
# Which NFS client this is: the importer beside compares it with its own (ADR 15).
mkdir -p /OMERO/.omero-on-aws
echo "$(cat /proc/sys/kernel/random/boot_id) $(stat -c %d /OMERO/)" >/OMERO/.omero-on-aws/mount.new
mv /OMERO/.omero-on-aws/mount.new /OMERO/.omero-on-aws/mount
@directory.sh
# What `dropbox` has set: the image reads the files of its folder, and its environment goes before them.
/opt/omero/server/venv3/bin/python - <<'END' || true
@dropbox_settings.py
END
# What read-only servers wait for: that a server of their image has been well on this repository and its database.
(
    until "$omero" admin status >/dev/null 2>&1; do sleep 5; done
    echo "$SERVER_IMAGE" >/OMERO/.omero-on-aws/well.new
    mv /OMERO/.omero-on-aws/well.new /OMERO/.omero-on-aws/well
) &
skipped=
own_settings() {
    # No check for a newer OMERO, which no security group lets out. ECS does not take an empty variable
    # (terraform-provider-aws issue 39533).
    "$omero" config set -- omero.upgrades.url ""
}
@server_run.sh
