#!/bin/sh
# Puts an interpreter of Python into a folder, out of Debian's packages for this release: what is built on this machine needs no
# older C library than it does. Nothing is installed.
#   python.sh OUT
set -eu

OUT=$(realpath "$1")
cd "$(dirname "$0")/../.."
# shellcheck source=infra/setup/debian.sh
. infra/setup/debian.sh
need_apt "Debian's Python" "make the bundle on Debian, where it is taken from"
if [ -x "$OUT/usr/bin/python3" ]; then exit 0; fi
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
download() {
    VERSION=$(apt-cache depends python3-minimal | sed -n 's/.*Depends: \(python3\.[0-9]*\)-minimal$/\1/p' | head -1)
    (cd "$WORK" && apt-get download --quiet "$VERSION-minimal" "lib$VERSION-minimal" "lib$VERSION-stdlib" libexpat1 zlib1g) \
        > "$WORK/log" 2>&1
}
# It fails as well where there are no lists of packages yet.
if ! download; then
    refresh_packages
    if ! download; then
        cat "$WORK/log" >&2
        exit 3
    fi
fi
for PACKAGE in "$WORK"/*.deb; do dpkg-deb --extract "$PACKAGE" "$WORK/root"; done
mkdir -p "$OUT/usr/bin" "$OUT/usr/lib/own" "$OUT/usr/share"
cp "$WORK/root/usr/bin/$VERSION" "$OUT/usr/bin/python3"
cp -r "$WORK/root/usr/lib/$VERSION" "$OUT/usr/lib/"
# What asks the machine that it is on for settings.
rm -f "$OUT/usr/lib/$VERSION/sitecustomize.py"
find "$WORK/root" \( -name 'libexpat.so.1*' -o -name 'libz.so.1*' \) -exec cp -d {} "$OUT/usr/lib/own/" \;
cp -r "$WORK/root/usr/share/doc" "$OUT/usr/share/"
PYTHONHOME=$OUT/usr LD_LIBRARY_PATH=$OUT/usr/lib/own "$OUT/usr/bin/python3" -c "import json, subprocess, zipfile"
