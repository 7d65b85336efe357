# Part of server.sh and read_only_server.sh, which have set `omero`, `skipped` (a step of the image's start, or none) and
# `own_settings` (a function). It copies OMERO's logs to the container's, which go to CloudWatch, each line with the name of
# its file before it; OMERO makes the files when it starts. It runs the steps of the image's start. And when ECS stops the
# container, it has OMERO.server end by itself: that closes its sessions and frees the repository's lock, which the next
# one waits for. bash is where SIGTERM comes to; the image's own entry passes it to all processes at once.
for name in Blitz-0.log DropBox.log FileServer.log Indexer-0.log MonitorServer.log PixelData-0.log Processor-0.log \
    Tables-0.log master.err master.out; do
    tail -n +1 -F "/opt/omero/server/OMERO.server/var/log/$name" 2>/dev/null | sed -u "s/^/$name | /" &
done
steps() {
    set +u; . /opt/omero/server/venv3/bin/activate; set -u
    for step in /startup/*; do
        if [ -f "$step" ] && [ -x "$step" ] && [ "$step" != "$skipped" ]; then
            echo "Running $step"
            "$step"
            # After this one, which begins with no settings at all.
            if [ "$step" = /startup/50-config.py ]; then own_settings; fi
        fi
    done
}
steps &
server=$!
stopped=
# It has 120 seconds until SIGKILL. What has not started yet has nothing to end.
trap 'stopped=1; "$omero" admin stop --wait 100 || true; kill -TERM "$server" 2>/dev/null || true' TERM
# A signal ends `wait`, and not what it waits for.
while kill -0 "$server" 2>/dev/null; do
    wait "$server" && code=0 || code=$?
done
if [ -n "$stopped" ]; then code=0; fi
# What copies the logs, whose last lines are still under way.
kill $(jobs -p) 2>/dev/null || true
wait
exit "$code"
