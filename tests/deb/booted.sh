#!/bin/sh
# Starts systemd in a root file system with the package, as process 1 of namespaces of its own on the network of this machine, and
# has the services convert a content of the demo: what units forbid is in force. Needs root; the broker is that of RABBITMQ_URL.
#   booted.sh ROOT
set -eu

# Longest wait for anything that should happen, in seconds.
PATIENCE=300
ROOT=${1:?usage: booted.sh ROOT}
: "${RABBITMQ_URL:?it names the broker; infra/with-servers.sh starts one}"
LOG=$(mktemp)
GROUP=synth2real-test-$$
SYSTEMD=''

finish() {
    STATUS=$?
    trap - EXIT
    # Everything in its namespaces ends with it.
    if [ -n "$SYSTEMD" ]; then kill -KILL "$SYSTEMD" 2> /dev/null || true; fi
    unshare --mount sh -c 'mount -t cgroup2 none /mnt && sleep 0.5 &&
        find "/mnt$(sed -n s/^0:://p /proc/self/cgroup)/$1" -depth -type d -exec rmdir {} +' cleaning "$GROUP" 2> /dev/null || true
    rm -f "$LOG"
    exit "$STATUS"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "booted: $*; what was said:" >&2
    cat "$LOG" >&2
    within systemctl status --no-pager --lines 5 'synth2real-*' >&2 || true
    exit 1
}

# A control group of its own, in which systemd sees the root of all.
GROUPED='
set -eu
mount --make-rprivate /
mount -t cgroup2 none /mnt
own=/mnt$(sed -n s/^0:://p /proc/self/cgroup)/$2
mkdir "$own"
echo $$ > "$own/cgroup.procs"
umount /mnt
exec unshare --pid --cgroup --uts --ipc --fork --kill-child sh -c "$3" start "$1"
'
START='
set -eu
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm dev/pts
for node in null zero full random urandom tty; do
    touch dev/$node
    mount --bind /dev/$node dev/$node
done
mount -t devpts -o ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
pivot_root . mnt
cd /
umount -l /mnt
exec env --ignore-environment container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --log-target=null --unit=multi-user.target
'
unshare --mount sh -c "$GROUPED" grouped "$ROOT" "$GROUP" "$START" > "$LOG" 2>&1 &
OUTER=$!

within() {
    nsenter --target "$SYSTEMD" --mount --pid --ipc --uts --cgroup --root --wd=/ \
        env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"
}

# wait_until WHAT COMMAND...: waits until a command succeeds.
wait_until() {
    WHAT=$1
    shift
    TENTHS=0
    until "$@" > /dev/null 2>&1; do
        TENTHS=$((TENTHS + 1))
        if [ "$TENTHS" -gt $((PATIENCE * 10)) ]; then fail "it did not come to pass in $PATIENCE s: $WHAT"; fi
        sleep 0.1
    done
}

started() {
    SYSTEMD=$(cat "/proc/$OUTER/task/$OUTER/children") && [ -n "$SYSTEMD" ] && SYSTEMD=${SYSTEMD% } \
        && [ "$(cat "/proc/$SYSTEMD/comm")" = systemd ] && [ "$(within systemctl is-system-running)" = running ]
}
wait_until "systemd runs" started

shown() {
    within systemctl show --value --property "$2" "$1"
}

cat >> "$ROOT/etc/synth2real/environment" << END
SYNTH2REAL_BROKER_URL=$RABBITMQ_URL
SYNTH2REAL_LISTEN=127.0.0.1:0
END
sed 's/127.0.0.1:9464/127.0.0.1:0/' "$ROOT/usr/share/doc/synth2real/examples/worker.toml" > "$ROOT/etc/synth2real/cpu.toml"
{ cat "$ROOT/etc/synth2real/cpu.toml"; echo nonsense = 1; } > "$ROOT/etc/synth2real/wrong.toml"
SETTINGS=/var/lib/synth2real/try/demo/run.toml
sed -i 's#^root = "../../out"#root = "/var/lib/synth2real/results"#; s/^name = "demo"/name = "booted"/' "$ROOT$SETTINGS"

within systemctl start synth2real-serve synth2real-worker@cpu || fail "they do not start"
within setpriv --reuid=_synth2real --regid=_synth2real --clear-groups env "SYNTH2REAL_BROKER_URL=$RABBITMQ_URL" \
    synth2real launch "$SETTINGS" > /dev/null
# The worker makes the images, and serve the manifest.
wait_until "the run has a manifest" test -f "$ROOT/var/lib/synth2real/results/runs/booted/manifest.parquet"
for UNIT in synth2real-serve synth2real-worker@cpu; do
    STATE=$(within cat "/proc/$(shown "$UNIT" MainPID)/status")
    for LINE in 'Seccomp:	2' 'NoNewPrivs:	1' 'CapBnd:	0000000000000000'; do
        case "$STATE" in *"$LINE"*) ;; *) fail "$UNIT is started without '$LINE'" ;; esac
    done
    within systemctl stop "$UNIT"
    if [ "$(shown "$UNIT" Result) $(shown "$UNIT" ExecMainStatus)" != "success 0" ]; then fail "$UNIT does not end as told"; fi
done
within setpriv --reuid=_synth2real --regid=_synth2real --clear-groups \
    synth2real audit booted --root /var/lib/synth2real/results > /dev/null

within systemctl start synth2real-worker@wrong
settled() { [ "$(shown synth2real-worker@wrong ActiveState)" = failed ]; }
wait_until "a worker with wrong settings ends" settled
if [ "$(shown synth2real-worker@wrong ExecMainStatus) $(shown synth2real-worker@wrong NRestarts)" != "2 0" ]; then
    fail "a worker with wrong settings is started anew"
fi
echo "booted: systemd started both services, which converted a content and ended as told" >&2
