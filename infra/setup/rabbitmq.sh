#!/bin/sh
# A RabbitMQ of this checkout's own, below .cache/rabbitmq: own node, ports and files, forgotten at each start.
#   install   puts Debian's rabbitmq-server there if there is none; its system service is not started
#   start     starts it unless it runs, and prints its address
#   url       prints its address, or fails if it does not run
#   stop      stops it
set -eu

SERVER=/usr/lib/rabbitmq/bin/rabbitmq-server
STARTS_WITHIN=90

cd "$(dirname "$0")/../.."
# shellcheck source=infra/setup/debian.sh
. infra/setup/debian.sh
HERE=$PWD/.cache/rabbitmq

install_server() {
    if [ -x "$SERVER" ]; then return; fi
    need_apt RabbitMQ "install it, or set RABBITMQ_URL to a broker"
    start_no_services
    install_package rabbitmq-server "$SERVER"
}

# Sets PID, PORT and NAMES_PORT of the server that runs, or fails.
running() {
    if [ ! -f "$HERE/running" ]; then return 1; fi
    read -r PID PORT NAMES_PORT < "$HERE/running"
    # The number may have become another process's.
    [ -r "/proc/$PID/environ" ] && grep --quiet --no-messages --text "synth2real$PORT@localhost" "/proc/$PID/environ"
}

print_url() {
    echo "amqp://guest:guest@127.0.0.1:$PORT/%2f"
}

start_server() {
    if running; then
        print_url
        return
    fi
    install_server
    rm -rf "$HERE"
    mkdir -p "$HERE"
    # shellcheck disable=SC2046 # three numbers
    set -- $(python3 -c '
import socket
held = [socket.socket() for _ in range(3)]
for one in held: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))')
    PORT=$1 DISTRIBUTION_PORT=$2 NAMES_PORT=$3
    echo "listeners.tcp.1 = 127.0.0.1:$PORT" > "$HERE/rabbitmq.conf"
    echo '[].' > "$HERE/plugins"
    # With ALLOW_INPUT the script becomes the server, so that PID is the server's.
    HOME="$HERE" \
        ERL_EPMD_ADDRESS=127.0.0.1 \
        ERL_EPMD_PORT="$NAMES_PORT" \
        RABBITMQ_ALLOW_INPUT=1 \
        RABBITMQ_ADVANCED_CONFIG_FILE="$HERE/advanced.config" \
        RABBITMQ_CONFIG_FILE="$HERE/rabbitmq" \
        RABBITMQ_CONF_ENV_FILE="$HERE/none" \
        RABBITMQ_DIST_PORT="$DISTRIBUTION_PORT" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$HERE/plugins" \
        RABBITMQ_GENERATED_CONFIG_DIR="$HERE/generated" \
        RABBITMQ_LOGS="$HERE/rabbitmq.log" \
        RABBITMQ_LOG_BASE="$HERE/log" \
        RABBITMQ_MNESIA_BASE="$HERE/data" \
        RABBITMQ_NODENAME="synth2real$PORT@localhost" \
        RABBITMQ_PID_FILE="$HERE/pid" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}" \
        setsid "$SERVER" -noinput > "$HERE/output" 2>&1 < /dev/null &
    PID=$!
    echo "$PID $PORT $NAMES_PORT" > "$HERE/running"
    TENTHS=0
    until grep --quiet --no-messages 'Server startup complete' "$HERE/rabbitmq.log"; do
        TENTHS=$((TENTHS + 1))
        if ! kill -0 "$PID" 2> /dev/null || [ "$TENTHS" -gt $((STARTS_WITHIN * 10)) ]; then
            echo "RabbitMQ does not start; $HERE/output ends with:" >&2
            tail -n 20 "$HERE/output" >&2
            stop_server
            exit 3
        fi
        sleep 0.1
    done
    print_url
}

stop_server() {
    if running; then
        kill -TERM "$PID" 2> /dev/null || true
        TENTHS=0
        while running; do
            TENTHS=$((TENTHS + 1))
            if [ "$TENTHS" -gt 300 ]; then kill -KILL "$PID" 2> /dev/null || true; fi
            sleep 0.1
        done
        # Erlang's name server was started with it, on a port of its own.
        ERL_EPMD_PORT="$NAMES_PORT" epmd -kill > /dev/null 2>&1 || true
    fi
    rm -rf "$HERE"
}

case "${1:-}" in
    install) install_server ;;
    start) start_server ;;
    url) running && print_url ;;
    stop) stop_server ;;
    *)
        echo "usage: $0 install|start|url|stop" >&2
        exit 2
        ;;
esac
