#!/bin/bash
# Packs a folder and splits it into parts, with their digests and what puts them together again.
#   parts.sh FOLDER OUT [BYTES]    BYTES of a part at most; 60 MB without it
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 FOLDER OUT [BYTES]" >&2
    exit 2
fi
FOLDER=$(realpath "$1") OUT=$2 BYTES=${3:-60000000}
HERE=$(cd "$(dirname "$0")" && pwd)
if [ -e "$OUT" ] && [ ! -f "$OUT/join.sh" ]; then
    echo "$OUT is there and has no parts: name another folder" >&2
    exit 2
fi
# Made beside, so that what is there is whole.
MADE=$OUT.new
rm -rf "$MADE"
mkdir -p "$MADE"
# An archive of the same folder has the same bytes.
tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --hard-dereference \
    --directory "$(dirname "$FOLDER")" "$(basename "$FOLDER")" | gzip --no-name \
    | split --bytes "$BYTES" --numeric-suffixes --suffix-length 3 - "$MADE/part-"
(cd "$MADE" && sha256sum part-* > SHA256SUMS)
cp "$HERE/join.sh" "$MADE/join.sh"
rm -rf "$OUT"
mv "$MADE" "$OUT"
echo "$OUT: $(find "$OUT" -name 'part-*' | wc -l) parts"
