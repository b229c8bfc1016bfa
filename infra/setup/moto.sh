#!/bin/sh
# Starts (and stops) moto, an S3 server to test against, on a loopback port; puts it into .cache/moto first,
# with every file checked by SHA-256 (requirements.sh).
#
# `start` prints its address, for MOTO_ENDPOINT.
set -eu

cd "$(dirname "$0")/../.."
TARGET=.cache/moto
PACKAGES=infra/setup/moto.txt
STAMP="$TARGET/made-from-$(sha256sum "$PACKAGES" | cut -c 1-16)"
SERVER="$TARGET/server"

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
    [ -f "$SERVER.pid" ] && grep --quiet --no-messages --text moto_server "/proc/$(cat "$SERVER.pid")/cmdline"
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
    PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    ENDPOINT="http://127.0.0.1:$PORT"
    "$TARGET/bin/moto_server" -H 127.0.0.1 -p "$PORT" > "$SERVER.log" 2>&1 < /dev/null &
    echo $! > "$SERVER.pid"
    for _ in $(seq 100); do
        if answers "$ENDPOINT/moto-api/"; then
            echo "$ENDPOINT" > "$SERVER.endpoint"
            echo "$ENDPOINT"
            return
        fi
        sleep 0.2
    done
    echo "moto does not answer at $ENDPOINT; see $SERVER.log" >&2
    stop
    exit 3
}

stop() {
    if running; then kill "$(cat "$SERVER.pid")"; fi
    rm -f "$SERVER.pid" "$SERVER.endpoint"
}

case "${1:-}" in
    install | start | endpoint | stop) "$1" ;;
    *) echo "usage: $0 install|start|endpoint|stop" >&2; exit 2 ;;
esac
