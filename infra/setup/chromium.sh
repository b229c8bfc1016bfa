#!/bin/sh
# Chromium, which the dashboard is tested in.
#   install   puts Debian's chromium there if there is none, and prints its path
set -eu

PROGRAM=/usr/bin/chromium

install_program() {
    if [ ! -x "$PROGRAM" ]; then
        if ! command -v apt-get > /dev/null; then
            echo "Chromium is not installed and there is no apt-get: install it, or set CHROMIUM to its path" >&2
            exit 3
        fi
        echo "installing chromium" >&2
        ROOT=""
        if [ "$(id -u)" != 0 ]; then ROOT=sudo; fi
        $ROOT env DEBIAN_FRONTEND=noninteractive apt-get update --quiet >&2
        $ROOT env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends chromium >&2
        if [ ! -x "$PROGRAM" ]; then
            echo "chromium was installed, but $PROGRAM is not there" >&2
            exit 3
        fi
    fi
    echo "$PROGRAM"
}

case "${1:-}" in
    install) install_program ;;
    *)
        echo "usage: $0 install" >&2
        exit 2
        ;;
esac
