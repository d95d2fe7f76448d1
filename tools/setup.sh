#!/bin/sh
# Makes this host ready for flatkit, and says each thing that it does. Called by the Makefile; safe to repeat at any time.
#
#   tools/setup.sh [run]    what the course needs: system packages, Python packages, libvirt's daemons
#   tools/setup.sh test     the same, and what the tests need
#   tools/setup.sh long     the same, and what `make test-long` needs
#   tools/setup.sh bin      print the folder that holds the `flatkit` command
#   tools/setup.sh stop     end the daemons that setup started, and no others
#
# Exit status: 0 ready, 1 something failed, 2 the call was wrong, 3 a person must do something first (the line is printed).
# A shell script and not Python, because the first thing that it must find is a Python.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
cd -- "$root"

# Where the host's own files are looked for; the tests of setup put an empty folder here, to stand on a host with nothing.
host=${FLATKIT_SETUP_HOST:-}

# mke2fs, sfdisk and libvirtd live in sbin, which a person's PATH often lacks.
PATH=$PATH:$host/usr/local/sbin:$host/usr/sbin:$host/sbin
export PATH

did= # set by whatever had something to do
bin= # set by choose_place

say() { printf 'setup: %s\n' "$*"; }

# stop_with STATUS LINE...: the message goes to standard error, a line each.
stop_with() {
    status=$1
    shift
    printf 'setup: %s\n' "$@" >&2
    exit "$status"
}

log=
# quietly COMMAND...: run it without its chatter; when it fails, show the end of what it said.
quietly() {
    [ -n "$log" ] || log=$(mktemp "${TMPDIR:-/tmp}/flatkit-setup.XXXXXX")
    if "$@" >"$log" 2>&1 </dev/null; then return 0; fi
    tail -n 20 "$log" >&2
    return 1
}
trap '[ -z "$log" ] || rm -f -- "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# shellcheck source=tools/setup/packages.sh
. "$here/setup/packages.sh"
# shellcheck source=tools/setup/python.sh
. "$here/setup/python.sh"
# shellcheck source=tools/setup/daemons.sh
. "$here/setup/daemons.sh"

case ${1:-run} in
run | test | long)
    want=${1:-run}
    ensure_packages "$want"
    [ "$want" != long ] || want="test"
    ensure_python "$want"
    ensure_daemons
    [ -n "$did" ] || say "everything that is needed is here ($bin/flatkit)"
    ;;
bin)
    choose_place
    printf '%s\n' "$bin"
    ;;
stop) stop_daemons ;;
*) stop_with 2 "\"$1\" is not a task of tools/setup.sh; expected run, test, long, bin or stop" "next: make help" ;;
esac
