# shellcheck shell=sh
# libvirt's daemons: started only where nobody else does it (root, no systemd), and ended again. Sourced by tools/setup.sh.
#
# Where systemd runs, a socket starts them; a person's own qemu:///session starts its own. What we started is remembered in
# a pid file below flatkit's state, so that `make clean` ends exactly that.

daemons=${FLATKIT_STATE:-/var/lib/flatkit}/daemons
uri=${LIBVIRT_DEFAULT_URI:-qemu:///system}

# A libvirt on another host ("qemu+ssh://host/system"): nothing is needed of this one's.
is_remote() {
    case ${LIBVIRT_DEFAULT_URI:-} in '' | *:///*) return 1 ;; *) return 0 ;; esac
}

answers() { virsh -q -c "$uri" uri >/dev/null 2>&1 </dev/null; }

# is_running NAME: a process of that name and of this user, by /proc since a small host has no pgrep.
is_running() {
    for comm in /proc/[0-9]*/comm; do
        if [ -O "$comm" ] && [ "$(cat "$comm" 2>/dev/null)" = "$1" ]; then return 0; fi
    done
    return 1
}

ensure_daemons() {
    case $uri in qemu:///system | qemu:///session) ;; *) return 0 ;; esac
    if [ "$(id -u)" != 0 ] && [ "${LIBVIRT_DEFAULT_URI:-}" != qemu:///system ]; then return 0; fi
    if answers; then return 0; fi
    if [ -d "$host/run/systemd/system" ] || [ "$(id -u)" != 0 ]; then
        stop_with 3 "libvirt does not answer at \"$uri\"" \
            "next: sudo systemctl enable --now libvirtd.socket   (or virtqemud.socket), then run make again" \
            "if it runs: this user must be in the group libvirt (sudo usermod -aG libvirt $(id -un), then log in again)"
    fi
    did=yes
    start_daemons
}

# Without udev /dev/kvm belongs to root alone. libvirt's own user cannot open it then, and libvirt asks QEMU for its
# abilities anew at every start of a machine, which costs seconds.
open_kvm() {
    if [ -c /dev/kvm ] && [ ! -d "$host/run/udev" ] && getent group kvm >/dev/null &&
        { [ "$(stat -c %a /dev/kvm)" = 600 ] || ! getent group "$(stat -c %g /dev/kvm)" >/dev/null; }; then
        say "/dev/kvm: no udev here, so giving it to the group kvm"
        chgrp kvm /dev/kvm && chmod 660 /dev/kvm
    fi
}

start_daemons() {
    open_kvm
    mkdir -p -- "$daemons" /var/log/libvirt /run/libvirt
    start_daemon virtlogd
    start_daemon libvirtd
    tries=0
    until answers; do
        tries=$((tries + 1))
        [ "$tries" -lt 60 ] || stop_with 1 "libvirtd was started but does not answer at \"$uri\" after 15 s" \
            "next: libvirtd   (in the foreground, it says why)"
        sleep 0.25
    done
}

start_daemon() {
    if is_running "$1"; then return; fi
    say "libvirt: no systemd here, so starting $1 (make clean ends it again)"
    rm -f -- "$daemons/$1.pid"
    # Process 1 may be no init, and leave libvirt waiting for the end of each machine: reap.py takes its place.
    quietly "$bin/python" "$here/setup/reap.py" "$1" -d -p "$daemons/$1.pid" ||
        stop_with 1 "\"$1 -d\" failed (above)" "next: $1   (in the foreground, it says why)"
}

stop_daemons() {
    [ -w "$daemons" ] || return 0 # none were started, or another user did it
    for daemon in libvirtd virtlogd; do
        [ -e "$daemons/$daemon.pid" ] || continue
        pid=$(cat "$daemons/$daemon.pid")
        # The number may have been given to another process since.
        if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$daemon" ]; then
            stop_daemon "$daemon" "$pid"
        fi
        rm -f -- "$daemons/$daemon.pid"
    done
}

stop_daemon() {
    if [ "$1" = libvirtd ]; then
        others=$(virsh -q -c qemu:///system list --name 2>/dev/null </dev/null | tr '\n' ' ')
        if [ -n "$(printf '%s' "$others" | tr -d ' ')" ]; then
            say "libvirt: machines that flatkit did not make still run ($others); leaving the daemons to them"
            exit 0
        fi
    fi
    say "libvirt: ending $1, which make setup had started"
    kill "$2" 2>/dev/null || return 0
    tries=0
    while [ -d "/proc/$2" ] && [ "$tries" -lt 40 ]; do
        tries=$((tries + 1))
        sleep 0.25
    done
}
