# Makes an instance of Amazon Linux 2023 an upload host: AWS CLI, Java, OMERO's command line, and /OMERO.
#
# Variables come before it (modules/upload_host.py). Nothing in it is secret. It runs once, as root, when the instance
# starts. A host on which a step failed never goes into service: the autoscaling group is told ABANDON, and ends it. Why
# stands in the log group, in the stream set-up/<instance id>, and on the console.
set -euo pipefail

LOG=/var/log/omero-upload-host.log
CLI=/opt/omero/cli
IMPORTER=/opt/omero/importer
# The access point makes every file 1000's; Amazon Linux has this user with that uid, and sessions run as it.
PERSON=ec2-user
PERSON_UID=1000
INSTANCE_ID=unknown
STEP=start
FINISHED=no

# What is said goes to the console too (cloud-init's own output does).
exec 3>&1 >>"$LOG" 2>&1

say() {
    echo "omero-upload-host: $*"
    echo "omero-upload-host: $*" >&3
}

step() {
    STEP=$1
    say "$STEP"
}

# For what depends on somebody else's server.
retry() {
    local attempt=1
    until "$@"; do
        if [ "$attempt" -ge 3 ]; then
            echo "failed $attempt times: $*"
            return 1
        fi
        attempt=$((attempt + 1))
        sleep 10
    done
}

send_log() {
    local stream="set-up/$INSTANCE_ID" events
    events=$(mktemp)
    tail -n 500 "$LOG" | python3 -c '
import json, sys, time
now = int(time.time() * 1000)
lines = [line[:2000] for line in sys.stdin.read().splitlines() if line.strip()]
json.dump([{"timestamp": now, "message": line} for line in lines], sys.stdout)
' >"$events"
    aws logs create-log-stream --region "$REGION" --log-group-name "$LOG_GROUP_NAME" --log-stream-name "$stream"
    aws logs put-log-events --region "$REGION" --log-group-name "$LOG_GROUP_NAME" --log-stream-name "$stream" \
        --log-events "file://$events"
}

complete() {
    aws autoscaling complete-lifecycle-action --region "$REGION" --auto-scaling-group-name "$GROUP_NAME" \
        --lifecycle-hook-name "$HOOK_NAME" --instance-id "$INSTANCE_ID" --lifecycle-action-result "$1"
}

report() {
    local code=$? result=CONTINUE
    trap - EXIT
    set +e
    # A shell that a signal ends has the exit code of its last command, which may be 0.
    if [ "$code" -eq 0 ] && [ "$FINISHED" = no ]; then
        code=1
    fi
    if [ "$code" -eq 0 ]; then
        say "set-up succeeded on $INSTANCE_ID"
    else
        result=ABANDON
        say "set-up failed on $INSTANCE_ID in the step '$STEP' with exit code $code; the last lines of its log:"
        tail -n 50 "$LOG" >&3
    fi
    send_log || say "CloudWatch Logs did not take the log"
    if ! retry complete "$result"; then
        # The group ends the host by itself when the hook's time is over.
        say "the autoscaling group $GROUP_NAME could not be told $result"
        [ "$code" -ne 0 ] || code=1
    fi
    exit "$code"
}
trap report EXIT

step "ask the instance for its id"
TOKEN=$(curl --fail --silent --show-error --retry 5 --request PUT --header "X-aws-ec2-metadata-token-ttl-seconds: 300" \
    http://169.254.169.254/latest/api/token)
INSTANCE_ID=$(curl --fail --silent --show-error --retry 5 --header "X-aws-ec2-metadata-token: $TOKEN" \
    http://169.254.169.254/latest/meta-data/instance-id)

step "install packages"
retry dnf install --assumeyes amazon-efs-utils java-21-amazon-corretto-headless python3.12 python3.12-pip
aws --version
java -version

step "find the user with uid $PERSON_UID"
[ "$(id -u "$PERSON")" = "$PERSON_UID" ]

step "mount /OMERO"
mkdir -p /OMERO
# An import has the server make its target, and looks for it at once: a client that remembers for half a minute that it
# was not there would fail. `lookupcache=pos` remembers only what is there (nfs(5)).
echo "$FILE_SYSTEM_ID:/ /OMERO efs _netdev,noresvport,tls,iam,lookupcache=pos,accesspoint=$ACCESS_POINT_ID 0 0" \
    >>/etc/fstab
retry mount /OMERO
mountpoint /OMERO
runuser -u "$PERSON" -- test -w /OMERO

if [ -n "$SHARE_PATH" ]; then
    step "mount the File Gateway's share at $SHARE_PATH"
    mkdir -p "$SHARE_PATH"
    # `nolock,hard` are what AWS asks of clients of a File Gateway (its user guide, "Mounting").
    echo "$SHARE_ADDRESS:/$SHARE_BUCKET $SHARE_PATH nfs ro,nfsvers=4.1,nolock,hard,_netdev 0 0" >>/etc/fstab
    retry mount "$SHARE_PATH"
    mountpoint "$SHARE_PATH"
fi

step "install OMERO's command line"
mkdir -p /opt/omero
echo "$REQUIREMENTS" >/opt/omero/requirements.txt
python3.12 -m venv "$CLI"
retry "$CLI/bin/pip" install --no-deps --only-binary=:all: "$ICE_WHEEL"
retry "$CLI/bin/pip" install --no-deps --only-binary=:all: --require-hashes --requirement /opt/omero/requirements.txt
"$CLI/bin/pip" check
# The Ice bindings are compiled: they load here or nowhere.
"$CLI/bin/python" -c 'import omero.clients'

step "install OMERO's importer"
retry curl --fail --silent --show-error --location --proto =https --output /opt/omero/OMERO.java.zip "$IMPORTER_URL"
if [ -n "$IMPORTER_SHA256" ]; then
    echo "$IMPORTER_SHA256  /opt/omero/OMERO.java.zip" | sha256sum --check -
fi
python3.12 -m zipfile -e /opt/omero/OMERO.java.zip "$IMPORTER"
ln -sfn "$(dirname "$(find "$IMPORTER" -name logback-cli.xml -print -quit)")" /opt/omero/jars
[ -f /opt/omero/jars/logback-cli.xml ]

step "put omero on the PATH"
echo "export OMERO_HOST=$SERVER_HOST" >/etc/profile.d/omero.sh
cat >/usr/local/bin/omero <<'WRAPPER'
#!/bin/bash
# OMERO's command line knows no variable for the server, and takes the newest importer instead of the server's.
. /etc/profile.d/omero.sh
command=$1
case "$command $2 $*" in
    *" -s "* | *" --server"*) ;;
    "login  "* | "login -"*) shift && set -- login --server "$OMERO_HOST" "$@" ;;
esac
case "$command $*" in
    *" --clientdir"* | *" --fetch-jars"*) ;;
    "import "*) shift && set -- import --clientdir /opt/omero/jars --logback /opt/omero/jars/logback-cli.xml "$@" ;;
esac
exec /opt/omero/cli/bin/omero "$@"
WRAPPER
chmod 0755 /usr/local/bin/omero

step "run omero as $PERSON"
runuser -l "$PERSON" -c 'omero version'
FINISHED=yes
