#!/bin/sh
# Looks whether tests may mount file systems of their own, which those of full and read-only disks do; says what to do
# where they may not. Installs Debian's util-linux if unshare is missing.
set -eu

# shellcheck source=infra/setup/debian.sh
. "$(dirname "$0")/debian.sh"

if ! command -v unshare > /dev/null; then
    need_apt unshare "install util-linux"
    install_package util-linux /usr/bin/unshare
fi
# shellcheck disable=SC2016 # for the inner shell
if ! WHY=$(unshare --mount --map-root-user sh -c 'mount -t tmpfs -o size=64k tmpfs /tmp' 2>&1); then
    echo "tests may not mount file systems here ($WHY): run them as root, in a container with --privileged or with" \
        "--cap-add SYS_ADMIN, or permit it to everybody: sysctl kernel.unprivileged_userns_clone=1" \
        "kernel.apparmor_restrict_unprivileged_userns=0" >&2
    exit 3
fi
