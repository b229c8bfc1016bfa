#!/bin/sh
# Puts promtool, which checks metrics and alert rules, into .cache/prometheus, out of Debian's prometheus package. The
# package is not installed, so no service is started.
set -eu

cd "$(dirname "$0")/../.."
# shellcheck source=infra/setup/debian.sh
. infra/setup/debian.sh
TARGET=.cache/prometheus
if [ -x "$TARGET/promtool" ]; then exit 0; fi

if command -v promtool > /dev/null; then
    mkdir -p "$TARGET"
    ln -s "$(command -v promtool)" "$TARGET/promtool"
    exit 0
fi
need_apt promtool "install Prometheus"
echo "downloading prometheus for its promtool" >&2
mkdir -p .cache
WORK=$(mktemp -d .cache/prometheus-XXXXXX)
trap 'rm -rf "$WORK"' EXIT
download() {
    # apt gives the download to a user of its own, who may not write here.
    (cd "$WORK" && apt-get -o APT::Sandbox::User=root download --quiet prometheus >&2)
}
if ! download 2> /dev/null; then
    refresh_packages
    download
fi
dpkg-deb --extract "$WORK"/prometheus_*.deb "$WORK/package"
mkdir "$WORK/tools"
cp "$WORK/package/usr/bin/promtool" "$WORK/package/usr/share/doc/prometheus/copyright" "$WORK/tools/"
"$WORK/tools/promtool" --version > /dev/null
rm -rf "$TARGET"
mv "$WORK/tools" "$TARGET"
