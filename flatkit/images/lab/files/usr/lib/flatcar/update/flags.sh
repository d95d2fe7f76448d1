# shellcheck shell=bash
# Reads a command line as gflags does for update_engine's client: one dash or two, -flag, -flag=true, -noflag, a dash for each
# "_", flags in a file or in the environment; a word without a dash is nothing.

# Of each flag its type and its value; those of glog and gflags are read, and change nothing here but for help and version.
declare -A types=() flags=()
for name in status check_for_update update watch_for_updates reset_status help version helpfull helpshort helppackage helpxml \
    alsologtostderr colorlogtostderr colorlogtostdout drop_log_memory log_prefix log_utc_time log_year_in_prefix logtostderr \
    logtostdout stop_logging_if_full_disk symbolize_stacktrace timestamp_in_logfile_name; do
    types[$name]=bool
done
for name in v minloglevel stderrthreshold logbuflevel logbufsecs logcleansecs logemaillevel logfile_mode tab_completion_columns; do
    types[$name]=int32
done
types[max_log_size]=uint32
for name in vmodule log_dir log_link log_backtrace_at logmailer alsologtoemail helpmatch helpon fromenv tryfromenv undefok flagfile \
    tab_completion_word; do
    types[$name]=string
done
# One mistake for each flag, the last one; a space before the name, since no key is empty.
declare -A mistakes=() undefined=()
nested=0

die() {
    echo "$1" >&2
    exit 1
}

# is_whole TEXT LEAST MOST: a number as strtol(3) reads it, with nothing after it.
is_whole() {
    [[ $1 =~ ^[[:space:]]*([+-]?)(0[xX]0*([0-9a-fA-F]{1,8})|0*([0-9]{1,10}))$ ]] || return
    local number=${BASH_REMATCH[4]:+10#${BASH_REMATCH[4]}}
    number=$((${BASH_REMATCH[1]}${number:-16#${BASH_REMATCH[3]}}))
    [ $number -ge "$2" ] && [ $number -le "$3" ]
}

# type_of NAME: sets type, and known to the flag's own name; type is "" if there is no such flag.
type_of() {
    type=''
    known=${1//-/_}
    [[ ! $known =~ ^[a-z0-9_]+$ ]] || type=${types[$known]-}
}

# split WORD: sets name, known, type, value and has_value, from a word whose dashes are gone; fails with the reason in wrong.
split() {
    name=${1%%=*} value=true has_value=''
    [[ $1 != *=* ]] || { value=${1#*=} has_value=yes; }
    type_of "$name"
    if [ ! "$type" ] && [[ $name == no?* ]]; then
        type_of "${name#no}"
        value=false
        if [ "$type" ] && [ "$type" != bool ]; then
            wrong="boolean value ($name) specified for $type command line flag"
            return 1
        fi
    fi
    wrong="unknown command line flag '$name'"
    [ "$type" ] || return 1
    [ "$type" != bool ] || has_value=yes
}

# list_of VALUE: sets listed to what is between its commas.
list_of() {
    local left=$1
    listed=()
    while [ "$left" ]; do
        [[ $left != ,* ]] || die "ERROR: empty flaglist entry"
        [[ $left != -* ]] || die "ERROR: flag \"$left\" begins with '-'"
        listed+=("${left%%,*}")
        [[ $left == *,* ]] && left=${left#*,} || left=''
    done
}

# set_flag NAME VALUE
set_flag() {
    local wrong="illegal value '$2' specified for ${types[$1]} flag '$1'" each listed
    case ${types[$1]}-${2,,} in
        bool-1 | bool-t | bool-true | bool-y | bool-yes) flags[$1]=yes ;;
        bool-0 | bool-f | bool-false | bool-n | bool-no) flags[$1]='' ;;
        bool-*) mistakes[ $1]=$wrong ;;
        int32-*) is_whole "$2" -2147483648 2147483647 || mistakes[ $1]=$wrong ;;
        uint32-*) is_whole "$2" 0 4294967295 || mistakes[ $1]=$wrong ;;
        string-*) flags[$1]=$2 ;;
    esac
    [[ $1 == *fromenv || $1 == flagfile ]] || return 0
    # A file that names itself ends gflags too, when its stack is full.
    ((++nested < 100)) || exit 139
    list_of "$2"
    for each in "${listed[@]}"; do
        [ "$1" = flagfile ] && flags_of_file "$each" || flag_of_environment "$each" "$1"
    done
    ((nested--))
}

# flag_of_environment NAME FLAG: FLAG is fromenv or tryfromenv.
flag_of_environment() {
    local known type variable=FLAGS_$1
    type_of "$1"
    if [ ! "$type" ]; then
        mistakes[ $1]="unknown command line flag '$1' (via --fromenv or --tryfromenv)"
        undefined[ $1]=yes
    elif [[ ! -v $variable ]]; then
        [ "$2" = tryfromenv ] || mistakes[ $1]="$variable not found in environment"
    elif [[ ${!variable} == fromenv || ${!variable} == tryfromenv ]]; then
        mistakes[ $1]="infinite recursion on environment flag '${!variable}'"
    else
        set_flag "$known" "${!variable}"
    fi
}

# A line is a flag, a comment, or the names of the programs that the flags below are for. What is wrong with a flag's name is
# not said.
flags_of_file() {
    local left='' line end word among_names='' relevant=yes name known type value has_value wrong
    wrong=$({ : <"$1"; } 2>&1) || die "$1: ${wrong##*: }"
    IFS= read -r -d '' left 2>/dev/null <"$1"
    while [ "$left" ]; do
        left=${left#"${left%%[![:space:]]*}"}
        end=$'\n'
        [[ $left != *$'\r'* ]] || end=$'\r'
        line=${left%%"$end"*}
        [[ $left == *"$end"* ]] && left=${left#*"$end"} || left=''
        case $line in
            '' | '#'*) ;;
            -*)
                among_names=''
                line=${line#-}
                [ ! "$relevant" ] || ! split "${line#-}" || [ ! "$has_value" ] || set_flag "$known" "$value"
                ;;
            *)
                [ "$among_names" ] || relevant=''
                among_names=yes
                while read -r -d ' ' word || [ "$word" ]; do
                    # shellcheck disable=SC2053
                    [[ $0 != $word && ${0##*/} != $word ]] || relevant=yes
                done <<<"$line"
                ;;
        esac
    done
}

# read_flags WORD...
read_flags() {
    local word name known type value has_value wrong listed each
    while [ $# -gt 0 ]; do
        word=$1
        shift
        [[ $word == -?* ]] || continue
        each=${word#-}
        each=${each#-}
        [ "$each" ] || break
        if ! split "$each"; then
            mistakes[ $name]=$wrong
            undefined[ $name]=yes
            continue
        fi
        if [ ! "$has_value" ]; then
            [ $# -gt 0 ] || { mistakes[ $known]="flag '$word' is missing its argument"; break; }
            value=$1
            shift
        fi
        set_flag "$known" "$value"
    done
}

# What ends the program before it does something: a help, the version, or a mistake.
end_by_flags() {
    local name names listed wrong=''
    [ ! "${flags[tab_completion_word]-}" ] || exit 0
    for name in help helpfull helpshort helppackage helpxml helpon helpmatch; do
        [ ! "${flags[$name]-}" ] || help
    done
    [ ! "${flags[version]-}" ] || { echo update_engine_client; exit 0; }
    list_of "${flags[undefok]-}"
    for name in "${listed[@]}"; do
        if [ "${undefined[ $name]-}" ]; then
            mistakes[ $name]=''
        elif [ "${undefined[ no$name]-}" ]; then
            mistakes[ no$name]=''
        fi
    done
    [ ${#mistakes[@]} != 0 ] || return 0
    mapfile -d '' names < <(printf '%s\0' "${!mistakes[@]}" | LC_ALL=C sort -z)
    for name in "${names[@]}"; do
        [ ! "${mistakes[$name]}" ] || { wrong=yes; echo "ERROR: ${mistakes[$name]}" >&2; }
    done
    [ ! "$wrong" ] || exit 1
}
