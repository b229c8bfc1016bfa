# shellcheck shell=sh
# Debian's packages, for the scripts beside this one that source it.

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# need_apt WHAT ADVICE: ends the script with both where there is no apt-get.
need_apt() {
    if ! command -v apt-get > /dev/null; then
        echo "$1 is not installed and there is no apt-get: $2" >&2
        exit 3
    fi
}

refresh_packages() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update --quiet >&2
}

POLICY=/usr/sbin/policy-rc.d

# start_no_services: a package that is installed from now on, until the script ends, starts no service.
start_no_services() {
    if [ -e "$POLICY" ]; then return; fi
    # Debian's way to say so.
    trap 'as_root rm -f "$POLICY"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" > /dev/null
    as_root chmod +x "$POLICY"
}

# install_package PACKAGE PROGRAM: installs it, and looks whether it has brought the program.
install_package() {
    echo "installing $1" >&2
    refresh_packages
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "$1" >&2
    if [ ! -x "$2" ]; then
        echo "$1 was installed, but $2 is not there" >&2
        exit 3
    fi
}
