#!/bin/sh
# A Slurm of this checkout's own, below .cache/slurm: controller and one node on this machine, with own key, ports and files,
# forgotten at each start.
#   install   puts Debian's slurm-wlm and munge there if there are none; their system services are not started
#   start     starts it unless it runs, and prints the path of its slurm.conf: what SLURM_CONF has to name
#   conf      prints that path, or fails if it does not run
#   stop      stops it, and the jobs that it runs
set -eu

STARTS_WITHIN=60
# Tasks that run at once, whatever this machine has.
NUM_CPUS=4
# What they may ask for; nothing of it is set aside.
MEMORY_MB=1000000

cd "$(dirname "$0")/../.."
# shellcheck source=infra/setup/debian.sh
. infra/setup/debian.sh
HERE=$PWD/.cache/slurm
NODE=synth2real
PATH=$PATH:/usr/sbin

install_servers() {
    if command -v slurmctld > /dev/null && command -v slurmd > /dev/null && command -v munged > /dev/null; then return; fi
    need_apt Slurm "install its controller, its node daemon and munge"
    start_no_services
    install_package munge /usr/sbin/munged
    install_package slurm-wlm /usr/sbin/slurmctld
}

# running DAEMON: whether it runs that was started here.
running() {
    [ -f "$HERE/$1.pid" ] || return 1
    read -r PID < "$HERE/$1.pid"
    # The number may have become another process's.
    [ -r "/proc/$PID/cmdline" ] && grep --quiet --no-messages --text --fixed-strings "$HERE/" "/proc/$PID/cmdline"
}

print_conf() {
    echo "$HERE/slurm.conf"
}

configure() {
    # shellcheck disable=SC2046 # two numbers
    set -- $(python3 -c '
import socket
held = [socket.socket() for _ in range(2)]
for one in held: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))')
    HOST=$(hostname -s)
    # Without cgroups and accounting, which need more of the system than a test may have. A requeued job waits for its
    # credential to expire, two minutes unless told otherwise.
    cat > "$HERE/slurm.conf" << END
ClusterName=synth2real
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$1
SlurmdPort=$2
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$HERE/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$HERE/state
SlurmdSpoolDir=$HERE/spool
SlurmctldPidFile=$HERE/slurmctld.pid
SlurmdPidFile=$HERE/slurmd.pid
SlurmctldLogFile=$HERE/slurmctld.log
SlurmdLogFile=$HERE/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
KillWait=300
NodeName=$NODE NodeHostname=$HOST NodeAddr=127.0.0.1 CPUs=$NUM_CPUS RealMemory=$MEMORY_MB State=UNKNOWN
PartitionName=all Nodes=$NODE Default=YES MaxTime=INFINITE State=UP
END
}

complain() {
    echo "Slurm does not start; its logs in $HERE end with:" >&2
    tail -n 10 "$HERE/output" "$HERE/munged.log" "$HERE/slurmctld.log" "$HERE/slurmd.log" >&2 || true
    exit 3
}

start_servers() {
    if running slurmctld && running slurmd; then
        print_conf
        return
    fi
    install_servers
    stop_servers
    mkdir -p "$HERE/state" "$HERE/spool"
    chmod 755 "$HERE"
    configure
    export SLURM_CONF="$HERE/slurm.conf"
    dd if=/dev/urandom of="$HERE/munge.key" bs=128 count=1 2> /dev/null
    chmod 600 "$HERE/munge.key"
    munged --force --key-file="$HERE/munge.key" --socket="$HERE/munge.socket" --pid-file="$HERE/munged.pid" \
        --log-file="$HERE/munged.log" --seed-file="$HERE/munge.seed" > "$HERE/output" 2>&1 < /dev/null || complain
    slurmctld -c -f "$SLURM_CONF" >> "$HERE/output" 2>&1 < /dev/null || complain
    slurmd -N "$NODE" -f "$SLURM_CONF" >> "$HERE/output" 2>&1 < /dev/null || complain
    TENTHS=0
    until [ "$(sinfo --noheader --format=%T --nodes="$NODE" 2> /dev/null)" = idle ]; do
        TENTHS=$((TENTHS + 1))
        if [ "$TENTHS" -gt $((STARTS_WITHIN * 10)) ]; then complain; fi
        sleep 0.1
    done
    print_conf
}

# stop_server DAEMON
stop_server() {
    running "$1" || return 0
    kill -TERM "$PID" 2> /dev/null || true
    TENTHS=0
    while running "$1"; do
        TENTHS=$((TENTHS + 1))
        if [ "$TENTHS" -gt 300 ]; then kill -KILL "$PID" 2> /dev/null || true; fi
        sleep 0.1
    done
}

stop_servers() {
    if running slurmctld; then
        export SLURM_CONF="$HERE/slurm.conf"
        scancel --user="$(id -un)" 2> /dev/null || true
        TENTHS=0
        while [ -n "$(squeue --noheader 2> /dev/null)" ] && [ "$TENTHS" -lt 300 ]; do
            TENTHS=$((TENTHS + 1))
            sleep 0.1
        done
    fi
    stop_server slurmctld
    stop_server slurmd
    stop_server munged
    rm -rf "$HERE"
}

case "${1:-}" in
    install) install_servers ;;
    start) start_servers ;;
    conf) running slurmctld && print_conf ;;
    stop) stop_servers ;;
    *)
        echo "usage: $0 install|start|conf|stop" >&2
        exit 2
        ;;
esac
