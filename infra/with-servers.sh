#!/bin/sh
# Runs a command with a message broker and two S3 servers beside it, and stops those that it started.
#   RABBITMQ_URL         a broker; one is started if this is not set
#   MOTO_ENDPOINT        moto; one is started if this is not set
#   SEAWEEDFS_ENDPOINT   SeaweedFS; one is started if this is not set
set -eu

if [ $# = 0 ]; then
    echo "usage: $0 COMMAND [ARGUMENT]..." >&2
    exit 2
fi
SETUP=$(cd "$(dirname "$0")/setup" && pwd)
STARTED=""

finish() {
    STATUS=$?
    trap - EXIT
    for SERVER in $STARTED; do "$SETUP/$SERVER.sh" stop || true; done
    exit "$STATUS"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -z "${RABBITMQ_URL:-}" ] && ! RABBITMQ_URL=$("$SETUP/rabbitmq.sh" url); then
    STARTED="$STARTED rabbitmq"
    RABBITMQ_URL=$("$SETUP/rabbitmq.sh" start)
fi
export RABBITMQ_URL
if [ -z "${MOTO_ENDPOINT:-}" ] && ! MOTO_ENDPOINT=$("$SETUP/moto.sh" endpoint); then
    STARTED="$STARTED moto"
    MOTO_ENDPOINT=$("$SETUP/moto.sh" start)
fi
export MOTO_ENDPOINT
if [ -z "${SEAWEEDFS_ENDPOINT:-}" ] && ! SEAWEEDFS_ENDPOINT=$("$SETUP/seaweedfs.sh" endpoint); then
    STARTED="$STARTED seaweedfs"
    SEAWEEDFS_ENDPOINT=$("$SETUP/seaweedfs.sh" start)
fi
export SEAWEEDFS_ENDPOINT

"$@"
