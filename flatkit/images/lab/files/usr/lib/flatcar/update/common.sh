# shellcheck shell=bash disable=SC2034,SC2154
# What every part of the update daemon uses: log, status, settings, and curl.

# In other locales [a-z] has other letters too, and a length counts characters.
export LC_ALL=C
# An Omaha answer has about 2 KiB.
answer_max=65536
# A download that takes longer is given up.
download_seconds=7200

say() { printf '%s\n' "$*"; }

# pause SECONDS: what sleep does, without a process: on an emulated machine each one takes from what is waited for.
pause() {
    [ "$idle" ] || exec {idle}<> <(:)
    read -r -t "$1" -u "$idle" || true
}
idle=''

# clock: sets now to the seconds since the boot. Not SECONDS, which goes by the time of day: when that is set right after a
# rewind, all that was to come in an hour would be due at once. The timers of Flatcar's engine stand still meanwhile, too.
clock() {
    read -r now _ </proc/uptime
    now=${now%.*}
}

# fail CODE REASON: always false, so that `fail ... || return` is never needed: it is the last word of a function.
# A reason may quote a server's words, and ends on terminals.
fail() {
    code=$1 reason=${2:0:500}
    reason=${reason//[![:print:]]/?}
    return 1
}

# is_url TEXT: an http or https URL.
is_url() {
    local pattern='^https?://([A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[!#-;=?-Z_a-z~]*)?$'
    [ ${#1} -le 2000 ] || return
    [[ $1 =~ $pattern ]]
}

# get URL OPTION...: curl for an URL from outside: never an option or a pattern of it, no other protocol, no redirects.
get() {
    local url=$1
    shift
    is_url "$url" || { echo 'curl: (3) this is not an http or https URL' >&2; return 3; }
    curl -q -sS --globoff --proto "=${url%%:*}" --connect-timeout 5 "$@" --url "$url"
}

# status OPERATION [PROGRESS]: what `update_engine_client -status` prints; a reader sees the old or the new five lines.
status() {
    operation=$1
    printf 'LAST_CHECKED_TIME=%s\nPROGRESS=%s\nCURRENT_OP=UPDATE_STATUS_%s\nNEW_VERSION=%s\nNEW_SIZE=%s\n' \
        "$last_checked" "${2:-0.000000}" "$operation" "$new_version" "$new_size" >$run/status.new
    mv $run/status.new $run/status
}

# A daemon that is started again still knows that the machine waits for a reboot.
restore_status() {
    last_checked=0 new_version=0.0.0 new_size=0 operation=IDLE
    if grep -qs 'CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT' $run/status; then
        local key value
        while IFS='=' read -r key value; do
            case $key in LAST_CHECKED_TIME) last_checked=$value ;; NEW_VERSION) new_version=$value ;; NEW_SIZE) new_size=$value ;; esac
        done <$run/status
        status UPDATED_NEED_REBOOT
    else
        status IDLE
    fi
}

# conf KEY: its value; the machine's own file comes first, then the release's two. It is read anew for each check.
conf() {
    local path line
    for path in /etc/flatcar/update.conf /usr/share/flatcar/update.conf /usr/share/flatcar/release; do
        while read -r line || [ "$line" ]; do
            if [[ $line == "$1="* ]]; then
                line=${line#*=}
                line=${line%\"}
                printf '%s\n' "${line#\"}"
                return
            fi
        done 2>/dev/null <"$path"
    done
}

# await SECONDS: sets verb to what somebody asks for through the FIFO; false when nobody does. A word that comes just as
# the time is over may be read in part: the rest is there, and a request that was torn apart would be waited for in vain.
await() {
    local rest=''
    verb=''
    read -r -t "$1" -u 3 verb || {
        [ "$verb" ] && read -r -t 5 -u 3 rest
        verb+=$rest
        [ "$verb" ]
    }
}

# tell FIFO WORD: without waiting; false when nobody reads.
tell() { echo "$2" | dd of="$1" oflag=nonblock conv=nocreat,notrunc status=none 2>/dev/null; }

size_of() { stat -c %s "$1" 2>/dev/null || echo 0; }

# free_bytes PATH: what may still be written there.
free_bytes() { echo $(($(stat -f -c '%a * %S' "$1"))); }
