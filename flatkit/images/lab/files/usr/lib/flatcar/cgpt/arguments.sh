# shellcheck shell=bash disable=SC2034,SC2154
# The command line of cgpt: options as getopt(3) reads them (anywhere, in clusters), numbers as strtoul(3) does.

error() { printf 'ERROR: cgpt %s: %s' "$command" "$1" >&2; }

mistake() {
    error "$1"
    mistakes=$((mistakes + 1))
}

# parse LETTERS WORD...: calls `take LETTER VALUE` for each option, and sets `drives` to the other words. A letter with a
# colon has a value. A command line with mistakes ends with the command's usage.
parse() {
    local letters=$1 word cluster letter
    shift
    mistakes=0 drives=()
    while [ $# -gt 0 ]; do
        word=$1
        shift
        case $word in
            --) drives+=("$@"); break ;;
            -?*) cluster=${word#-} ;;
            *) drives+=("$word"); continue ;;
        esac
        while [ "$cluster" ]; do
            letter=${cluster:0:1} cluster=${cluster:1}
            if [ "$letter" = h ]; then
                "usage_of_$verb"
                exit 0
            elif [ "$letter" = : ] || [[ $letters != *"$letter"* ]]; then
                mistake "unrecognized option: -$letter"$'\n'
            elif [[ $letters != *"$letter:"* ]]; then
                take "$letter" ''
            elif [ "$cluster" ]; then
                take "$letter" "$cluster"
                cluster=''
            elif [ $# -gt 0 ]; then
                take "$letter" "$1"
                shift
            else
                mistake "missing argument to -$letter"$'\n'
            fi
        done
    done
}

# end_with_usage: what follows a mistake.
end_with_usage() {
    "usage_of_$verb"
    exit 1
}

# unsigned TEXT: sets `number` to what strtoull(3) makes of it (64 bits, -1 if it is too large), and fails unless that is
# all of it. Nothing but digits reaches the shell's arithmetic.
unsigned() {
    local sign digits='' base=10 most=20
    number=0
    [[ $1 =~ ^[[:space:]]*([+-]?)(0[xX]([0-9a-fA-F]+)|0([0-7]*)|[1-9][0-9]*) ]] || return
    local rest=${1:${#BASH_REMATCH[0]}}
    sign=${BASH_REMATCH[1]}
    case ${BASH_REMATCH[2]} in
        0[xX]*) base=16 digits=${BASH_REMATCH[3]} most=16 ;;
        0*) base=8 digits=${BASH_REMATCH[4]} most=22 ;;
        *) digits=${BASH_REMATCH[2]} ;;
    esac
    digits=${digits#"${digits%%[!0]*}"}
    # shellcheck disable=SC2071
    if [ ${#digits} -gt $most ] || { [ $base = 8 ] && [ ${#digits} = 22 ] && [[ $digits != 1* ]]; } ||
        { [ $base = 10 ] && [ ${#digits} = 20 ] && [[ $digits > 18446744073709551615 ]]; }; then
        number=-1
    elif [ "$digits" ]; then
        number=$(($base#$digits))
        [ "$sign" != - ] || number=$((-number))
    fi
    [ ! "$rest" ]
}

# as_int NUMBER: as C's int, which is how Flatcar's tool prints them.
as_int() { echo $((($1 & 0xffffffff ^ 0x80000000) - 0x80000000)); }

# number_option LETTER TEXT: sets `number`.
number_option() { unsigned "$2" || mistake "invalid argument to -$1: \"$2\""$'\n'; }

# small LETTER TEXT LEAST MOST [END]: a number that Flatcar's tool keeps in an int.
small() {
    if ! unsigned "$2"; then
        # The one message that has another form there.
        if [ "$verb$1" = addT ]; then
            printf 'cgpt: invalid argument to -T: "%s"\n' "$2" >&2
            mistakes=$((mistakes + 1))
        else
            mistake "invalid argument to -$1: \"$2\""$'\n'
        fi
    fi
    # That one is read with strtol(3): what has more than 63 bits is out of range.
    if [ "$verb" = prioritize ] && [[ ($2 == *-* && $number -gt 0) || ($2 != *-* && $number -lt 0) ]]; then
        number=0
    fi
    number=$(as_int "$number")
    if [ $number -lt "$3" ] || [ $number -gt "$4" ]; then
        mistake "value for -$1 must be between $3 and $4${5-}"
    fi
}

# partition_option TEXT: sets `partition`, 32 bits without a sign.
partition_option() {
    number_option i "$1"
    partition=$((number & 0xffffffff))
}

# parse_guid TEXT: sets `guid` to its 32 digits as the disk has them. As scanf(3) reads them: each part has a most of
# characters, a sign and 0x are among them, and what follows the last part is not looked at.
parse_guid() {
    local rest=$1 width word
    guid=''
    for width in 8 -4 -4 -2 2 -2 2 2 2 2 2; do
        if [[ $width == -* ]]; then
            [[ $rest == -* ]] || { echo FAILED; return 1; }
            rest=${rest#-} width=${width#-}
        fi
        rest=${rest#"${rest%%[![:space:]]*}"}
        word=${rest:0:width}
        [[ $word =~ ^([+-]?)(0[xX][0-9A-Fa-f]*|[0-9A-Fa-f]+) ]] || { echo FAILED; return 1; }
        rest=${rest:${#BASH_REMATCH[0]}}
        word=${BASH_REMATCH[2]#0[xX]}
        hex_of $((${BASH_REMATCH[1]}16#0$word & (1 << 4 * width) - 1)) "$width"
        guid+=$hex
    done
}

# type_option TEXT: an alias or a GUID.
type_option() {
    if supported_type "$1"; then
        parse_guid "$guid"
    else
        parse_guid "$1" || mistake "invalid argument to -t: $1"$'\n'
    fi
}

# guid_text HEX: sets `text` to the GUID as people write it.
guid_text() {
    local g=${1^^}
    text=${g:6:2}${g:4:2}${g:2:2}${g:0:2}-${g:10:2}${g:8:2}-${g:14:2}${g:12:2}-${g:16:4}-${g:20:12}
}

# reason PATH: sets `text` to why it cannot be opened.
reason() {
    text=$({ : <"$1"; } 2>&1)
    text=${text##*: }
}

# whole_drive PATH: sets `drive` to the disk, and `partition` if PATH is a partition of it.
whole_drive() {
    local device folder number text
    drive=$1
    [ "$1" ] || { error "empty drive argument"$'\n'; return 1; }
    [ -e "$1" ] || { reason "$1"; error "unable to access device $1: $text"$'\n'; return 1; }
    [ -b "$1" ] || return 0
    device=$(readlink -f -- "$1")
    folder=/sys/class/block/${device##*/}
    [ -e "$folder/partition" ] || return 0
    number=$(<"$folder/partition")
    if [ "${partition:-0}" != 0 ] && [ "$partition" != "$number" ]; then
        error "device $1 is partition $number but $(as_int $partition) was specified"$'\n'
        return 1
    fi
    partition=$number
    device=$(readlink -f "$folder/..")
    drive=/dev/${device##*/}
}

# whole_disks: the disks of the machine, as /proc/partitions lists them.
whole_disks() {
    local name
    while read -r _ _ _ name; do
        if [ -b "/dev/$name" ] && [ -L "/sys/block/${name//\//!}/device" ]; then
            echo "/dev/$name"
        fi
    done </proc/partitions
}
