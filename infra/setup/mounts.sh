#!/bin/sh
# Looks whether tests may mount file systems of their own, which those of full and read-only disks do, and of disks that
# they serve themselves, whose power they cut; says what to do where they may not. Installs Debian's util-linux if unshare
# is missing.
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
SERVED='exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 trial /tmp'
if ! WHY=$(unshare --mount --map-root-user sh -c "$SERVED" 2>&1); then
    echo "tests may not serve a file system here ($WHY): have the kernel's module (modprobe fuse), read and write" \
        "/dev/fuse, and in a container pass it with --device /dev/fuse" >&2
    exit 3
fi
