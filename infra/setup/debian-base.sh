#!/bin/sh
# Prints the path of a Debian that debootstrap has made, a tar archive below .cache/debian: the release of this machine, so that
# what is built here finds its C library there.
#   debian-base.sh [PACKAGE]...   what it has beside the least that there is
set -eu

cd "$(dirname "$0")/../.."
# shellcheck source=infra/setup/debian.sh
. infra/setup/debian.sh
RELEASE=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
PACKAGES=$(echo ca-certificates "$@" | tr ' ' '\n' | sort --unique | paste --serial --delimiters=,)
BASE=.cache/debian/$RELEASE-$(echo "$PACKAGES" | sha256sum | cut -c 1-16).tar
if [ -f "$BASE" ]; then
    echo "$BASE"
    exit 0
fi
if [ ! -x /usr/sbin/debootstrap ]; then
    need_apt debootstrap "it makes a Debian to try packages and images in; install it"
    install_package debootstrap /usr/sbin/debootstrap
fi
echo "making $BASE ($RELEASE with $PACKAGES)" >&2
mkdir -p .cache/debian
WORK=$(mktemp -d .cache/debian/making-XXXXXX)
# What debootstrap was ended in may have mounts of this machine's.
trap 'as_root rm -rf --one-file-system "$WORK"' EXIT
if ! as_root /usr/sbin/debootstrap --variant=minbase --include="$PACKAGES" "$RELEASE" "$WORK/root" > "$WORK/log" 2>&1; then
    echo "debootstrap makes no Debian; its log ends with:" >&2
    tail -n 20 "$WORK/log" >&2
    exit 3
fi
as_root rm -rf "$WORK/root/var/cache/apt/archives" "$WORK/root/var/lib/apt/lists"
as_root mkdir -p "$WORK/root/var/cache/apt/archives/partial" "$WORK/root/var/lib/apt/lists/partial"
as_root tar --create --file "$WORK/base.tar" --directory "$WORK/root" --numeric-owner --one-file-system .
mv "$WORK/base.tar" "$BASE"
echo "$BASE"
