#!/bin/sh
# Chromium, which the dashboard is tested in.
#   install   puts Debian's chromium there if there is none and CHROMIUM names no other, and prints the path of either
set -eu

PROGRAM=${CHROMIUM:-/usr/bin/chromium}

# shellcheck source=infra/setup/debian.sh
. "$(dirname "$0")/debian.sh"

install_program() {
    if [ -z "${CHROMIUM:-}" ] && [ ! -x "$PROGRAM" ]; then
        need_apt Chromium "install it, or set CHROMIUM to its path"
        install_package chromium "$PROGRAM"
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
