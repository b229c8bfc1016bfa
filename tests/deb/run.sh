#!/bin/sh
# Tries out the package that infra/deb/build.sh has made, or the one that is given: what lintian says of it, and whether a Debian of
# debootstrap's installs it, converts the demo as its user, starts its services, takes it again and lets it go. Needs root, or
# sudo, for chroot and namespaces; the broker is that of RABBITMQ_URL.
set -eu

cd "$(dirname "$0")/../.."
: "${RABBITMQ_URL:?it names the broker; infra/with-servers.sh starts one}"
# shellcheck source=infra/setup/debian.sh
. infra/setup/debian.sh
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
PACKAGE=${1:-target/debian/synth2real_${VERSION}-1_$(dpkg --print-architecture).deb}

fail() {
    echo "$PACKAGE: $*" >&2
    exit 1
}

# expect WORDS COMMAND...: fails unless the command succeeds and says the words.
expect() {
    WORDS=$1
    shift
    if ! SAID=$("$@" 2>&1); then fail "$* fails: $SAID"; fi
    case "$SAID" in
        *"$WORDS"*) ;;
        *) fail "$* says, without '$WORDS': $SAID" ;;
    esac
}

if [ ! -x /usr/bin/lintian ]; then
    need_apt lintian "it checks packages; install it"
    install_package lintian /usr/bin/lintian
fi
lintian --fail-on error,warning --tag-display-limit 0 --allow-root "$PACKAGE" || fail "lintian finds what stands above"

infra/setup/bill.sh
BASE=$(infra/setup/debian-base.sh)
ROOT=$(mktemp -d)
finish() {
    as_root umount "$ROOT/proc" 2> /dev/null || true
    as_root rm -rf --one-file-system "$ROOT"
}
trap finish EXIT
as_root tar --extract --file "$BASE" --directory "$ROOT" --numeric-owner
as_root chmod 755 "$ROOT"
as_root mount -t proc proc "$ROOT/proc"
as_root cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' | as_root tee "$ROOT$POLICY" > /dev/null
as_root chmod +x "$ROOT$POLICY"
as_root cp "$PACKAGE" "$ROOT/tmp/synth2real.deb"

within() {
    as_root chroot "$ROOT" env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}

as_its_user() {
    within setpriv --reuid=_synth2real --regid=_synth2real --clear-groups "$@"
}

echo "installing it, with what it depends on" >&2
within apt-get update --quiet=2 > /dev/null
expect "" within apt-get install --quiet --yes --no-install-recommends /tmp/synth2real.deb
expect "synth2real $VERSION" within synth2real --version
expect "worker $VERSION" within synth2real-worker --version
expect _synth2real within getent passwd _synth2real
expect "" within install --directory --owner=_synth2real --group=_synth2real --mode=750 \
    /var/lib/synth2real /var/lib/synth2real/try /var/cache/synth2real
# The library is found with no variable.
expect /libonnxruntime.so as_its_user synth2real doctor --root /var/lib/synth2real/results
# The demo, with one content of twelve.
as_its_user cp --recursive /usr/share/synth2real/demo /var/lib/synth2real/try/
within sed --in-place 's/^layout = "gta5"$/&\nrange = "1..=1"/' /var/lib/synth2real/try/demo/run.toml
expect "" as_its_user synth2real run /var/lib/synth2real/try/demo/run.toml
expect "" as_its_user synth2real audit demo --root /var/lib/synth2real/out
.cache/bill/bin/python tests/deploy/bills.py "$ROOT/usr/share/doc/synth2real/synth2real.cdx.json" onnxruntime \
    || fail "its bill of materials is none"
for LINE in "- tokio " "Permission is hereby granted" "Apache License"; do
    expect "$LINE" within grep --max-count=1 --fixed-strings -e "$LINE" /usr/share/doc/synth2real/THIRD_PARTY.txt
done
expect "600 root root" within stat --format="%a %U %G" /etc/synth2real/environment
if SAID=$(as_its_user synth2real-worker --config /etc/synth2real/none.toml 2>&1); then fail "a worker without settings goes on"; fi
case "$SAID" in *none.toml*) ;; *) fail "a worker does not name the settings that it lacks: $SAID" ;; esac

# What systemd says of the units where the programs are, beside its own units.
for UNIT in synth2real-serve.service synth2real-worker@any.service; do
    SAID=$(systemd-analyze verify --root="$ROOT" --man=no "$UNIT" 2>&1) || fail "$UNIT: $SAID"
    if [ -n "$SAID" ]; then fail "$UNIT: $SAID"; fi
    systemd-analyze security --offline=true --root="$ROOT" --threshold=25 "$UNIT" > /dev/null || fail "$UNIT may do too much"
    if [ "$(within systemctl is-enabled "$UNIT" 2> /dev/null)" = enabled ]; then fail "$UNIT is enabled by itself"; fi
done

echo "starting its services by systemd" >&2
as_root env "RABBITMQ_URL=$RABBITMQ_URL" tests/deb/booted.sh "$ROOT" || fail "its services do not work"
within rm /etc/synth2real/cpu.toml /etc/synth2real/wrong.toml

echo "installing it again, removing it" >&2
within sh -c 'echo SYNTH2REAL_BROKER_USER=kept >> /etc/synth2real/environment'
expect "" within dpkg --install /tmp/synth2real.deb
expect kept within cat /etc/synth2real/environment
within touch /var/cache/synth2real/copy
expect "" within dpkg --remove synth2real
expect kept within cat /etc/synth2real/environment
expect "" within dpkg --purge synth2real
expect "" within test -f /var/lib/synth2real/out/runs/demo/manifest.parquet
for GONE in /etc/synth2real /usr/lib/synth2real /usr/share/synth2real /usr/bin/synth2real /var/cache/synth2real; do
    if within test -e "$GONE"; then fail "$GONE is left when it is purged"; fi
done
echo "$PACKAGE: lintian finds nothing; it was installed, used, started by systemd, installed again and purged" >&2
