# shellcheck shell=bash disable=SC2034,SC2154
# What cgpt does to entries: add, prioritize, next.

# change_bits INDEX SHIFT MASK VALUE: some bits of the primary's entry.
change_bits() {
    local entry=${primary[$1]}
    number_of "${entry:96:16}"
    hex_of $((value & ~($3 << $2) | $4 << $2)) 16
    primary[$1]=${entry:0:96}$hex${entry:112}
}

# must_be_whole VERB: Flatcar's tool refuses `add` on a damaged table, but its `next` and `prioritize` copy a damaged primary
# over the good backup, after which nothing is left. Here they refuse as `add` does.
must_be_whole() {
    if [ $((valid_headers & valid_entries & $1)) != "$1" ]; then
        error "one of the GPT header/entries is invalid."$'\n'"please run 'cgpt repair' before $2."$'\n'
        return 1
    fi
}

add_options=i:b:s:t:u:l:B:S:T:P:A:
add() {
    partition=0
    local begin='' size='' new_type='' new_uuid='' new_label='' labelled='' bootable='' good='' left='' rank='' raw=''
    take() {
        case $1 in
            i) partition_option "$2" ;;
            b) number_option b "$2"; begin=$number ;;
            s) number_option s "$2"; size=$number ;;
            t) type_option "$2" && new_type=$guid ;;
            u) if parse_guid "$2"; then new_uuid=$guid; else mistake "invalid argument to -u: $2"$'\n'; fi ;;
            l) new_label=$2 labelled=yes ;;
            B) small B "$2" 0 1; bootable=$number ;;
            S) small S "$2" 0 1; good=$number ;;
            T) small T "$2" 0 15; left=$number ;;
            P) small P "$2" 0 15; rank=$number ;;
            A) number_option A "$2"; raw=$number ;;
        esac
    }
    parse $add_options "$@"
    [ $mistakes = 0 ] || end_with_usage
    [ ${#drives[@]} != 0 ] || { error "missing drive argument"$'\n'; return 1; }
    whole_drive "${drives[0]}" && open_drive "$drive" write && must_be_sane && must_be_whole 3 "adding anything" || return
    free_entry || return
    local index=$((partition - 1))
    edit_entry $index || return
    update_all
    if ! check_entries primary 1; then
        error "$flaw"$'\n'
        error "$(add_words)"$'\n'
        return 1
    fi
    update_mbr primary
    write_mbr || { error "Failed to write legacy MBR."$'\n'; return 1; }
    write_table
}

# free_entry: sets `partition` to the next that is not in use, if none is named.
free_entry() {
    local i
    if [ "$partition" != 0 ]; then
        [ "$partition" -le 128 ] || { error "invalid partition number: $(as_int $partition)"$'\n'; return 1; }
        return
    fi
    for i in "${!primary[@]}"; do
        [ "${primary[i]:0:32}" = $zero_guid ] || continue
        partition=$((i + 1))
        return
    done
    error "no unused partitions available"$'\n'
    return 1
}

# edit_entry INDEX: the values of `add`.
edit_entry() {
    local entry random=''
    if [ "$raw" ]; then
        hex_of "$raw" 16
        primary[$1]=${primary[$1]:0:96}$hex${primary[$1]:112}
    else
        [ ! "$bootable" ] || change_bits "$1" 2 1 "$bootable"
        [ ! "$good" ] || change_bits "$1" 56 1 "$good"
        [ ! "$left" ] || change_bits "$1" 52 15 "$left"
        [ ! "$rank" ] || change_bits "$1" 48 15 "$rank"
    fi
    entry=${primary[$1]}
    if [ "${entry:0:32}" = $zero_guid ]; then
        if [ ! "$begin" ] || [ ! "$size" ] || [ ! "$new_type" ]; then
            error "-t, -b, and -s options are required for new partitions"$'\n'
            return 1
        elif [ "$new_type" = $zero_guid ]; then
            error "New partitions must have a type other than \"unused\""$'\n'
            return 1
        elif [ ! "$new_uuid" ]; then
            parse_guid "$(</proc/sys/kernel/random/uuid)"
            random=$guid
        fi
    fi
    if [ "$begin" ]; then
        hex_of "$begin" 16
        entry=${entry:0:64}$hex${entry:80}
    fi
    if [ "$size" ]; then
        number_of "${entry:64:16}"
        hex_of $((value + size - 1)) 16
        entry=${entry:0:80}$hex${entry:96}
    fi
    entry=${new_type:-${entry:0:32}}${new_uuid:-${random:-${entry:32:32}}}${entry:64}
    if [ "$labelled" ]; then
        utf16_of "$new_label" || { error "The label cannot be converted to UTF16."$'\n'; return 1; }
        entry=${entry:0:112}$hex
    fi
    primary[$1]=$entry
}

# utf16_of TEXT: sets `hex` to 36 units: 35 of the text at most, and zeros. Fails for what is no UTF-8.
utf16_of() {
    local -a codes
    local byte point=0 more=0 least=0 room=35 units=''
    read -r -d '' -a codes < <(printf %s "$1" | od -An -v -tu1)
    for byte in "${codes[@]}"; do
        [ $room != 0 ] || break
        if [ $more != 0 ]; then
            [ $((byte & 0xc0)) = 128 ] || return
            point=$((point << 6 | byte & 63)) more=$((more - 1))
        elif [ "$byte" -lt 128 ]; then
            point=$byte least=0
        elif [ "$byte" -ge 194 ] && [ "$byte" -le 223 ]; then
            point=$((byte & 31)) more=1 least=128
        elif [ "$byte" -ge 224 ] && [ "$byte" -le 239 ]; then
            point=$((byte & 15)) more=2 least=2048
        elif [ "$byte" -ge 240 ] && [ "$byte" -le 244 ]; then
            point=$((byte & 7)) more=3 least=65536
        else
            return 1
        fi
        [ $more = 0 ] || continue
        [ $point -ge $least ] && [ $((point >> 11)) != 27 ] && [ $point -le $((0x10ffff)) ] || return
        if [ $point -lt 65536 ]; then
            hex_of $point 4
            room=$((room - 1))
        else
            [ $room -ge 2 ] || return
            hex_of $((0xd800 + (point >> 10) - 0x40)) 4
            units+=$hex
            hex_of $((0xdc00 + (point & 0x3ff))) 4
            room=$((room - 2))
        fi
        units+=$hex
    done
    [ $more = 0 ] || return
    printf -v hex %s%0144d "$units" 0
    hex=${hex:0:144}
}

# add_words: the options of an `add` that was refused, as Flatcar's tool repeats them.
add_words() {
    local text
    printf -- '-i %d ' "$partition"
    [ ! "$labelled" ] || printf -- '-l %s ' "$new_label"
    [ ! "$begin" ] || printf -- '-b %u ' "$begin"
    [ ! "$size" ] || printf -- '-s %u ' "$size"
    [ ! "$new_type" ] || { guid_text "$new_type"; printf -- '-t %s ' "$text"; }
    [ ! "$new_uuid" ] || { guid_text "$new_uuid"; printf -- '-u %s ' "$text"; }
    [ ! "$bootable" ] || printf -- '-B %d ' "$bootable"
    [ ! "$good" ] || printf -- '-S %d ' "$good"
    [ ! "$left" ] || printf -- '-T %d ' "$left"
    [ ! "$rank" ] || printf -- '-P %d ' "$rank"
    [ ! "$raw" ] || printf -- '-A 0x%x ' "$raw"
}

prioritize_options=i:fP:
prioritize() {
    partition=0
    local friends='' highest=0
    take() {
        case $1 in
            i) partition_option "$2" ;;
            f) friends=yes ;;
            P) small P "$2" 1 15 $'\n'; highest=$number ;;
        esac
    }
    parse $prioritize_options "$@"
    [ $mistakes = 0 ] || end_with_usage
    if [ "$friends" ] && [ "$partition" = 0 ]; then
        error "the -f option is only useful with the -i option"$'\n'
        end_with_usage
    fi
    [ ${#drives[@]} != 0 ] || { error "missing drive argument"$'\n'; return 1; }
    whole_drive "${drives[0]}" && open_drive "$drive" write && must_be_sane || return
    if [ "$partition" -gt 128 ]; then
        error "invalid partition number: $(as_int $partition) (must be between 1 and 128"$'\n'
        return 1
    elif [ "$partition" != 0 ] && [ "${primary[partition - 1]:0:32}" != $root_type ]; then
        error "partition $partition is not a Flatcar root"$'\n'
        return 1
    fi
    must_be_whole 1 "prioritizing anything" || return
    rank_slots
    update_all
    write_table
}

# rank_slots: groups of one priority keep their order; the one that is named comes first, and what has 0 keeps it.
rank_slots() {
    local i level first=0 rank entry
    local -a groups=()
    [ "$partition" = 0 ] || { split "${primary[partition - 1]}"; first=$priority; }
    for i in "${!primary[@]}"; do
        entry=${primary[i]}
        [ "${entry:0:32}" = $root_type ] || continue
        split "$entry"
        level=$priority
        if [ $((i + 1)) = "$partition" ] || { [ "$friends" ] && [ "$level" = "$first" ]; }; then
            level=16
        fi
        groups[level]+=" $i"
    done
    unset 'groups[0]'
    rank=$highest
    [ "$rank" != 0 ] || rank=$((${#groups[@]} > 15 ? 15 : ${#groups[@]}))
    for ((level = 16; level > 0; level--)); do
        [ "${groups[level]-}" ] || continue
        for i in ${groups[level]}; do
            change_bits "$i" 48 15 "$rank"
        done
        [ "$rank" -le 1 ] || rank=$((rank - 1))
    done
}

next_options=
next() {
    local best_drive='' best=-1 best_index=-1 path text
    take() { :; }
    parse "$next_options" "$@"
    [ $mistakes = 0 ] || end_with_usage
    [ ${#drives[@]} != 0 ] || mapfile -t drives < <(whole_disks)
    for path in "${drives[@]:0:${#drives[@]}}"; do
        open_drive "$path" && must_be_sane && next_in "$path"
        [ $# = 0 ] || break
    done
    [ "$best_drive" ] || return
    open_drive "$best_drive" write && must_be_sane && must_be_whole 1 "starting anything" || return
    split "${primary[best_index]}"
    [ "$tries" = 0 ] || change_bits "$best_index" 52 15 $((tries - 1))
    guid_text "$uuid"
    echo "${text,,}"
    update_all
    write_table
}

# next_in DRIVE: the first root that is found, then each with a higher priority that may be booted.
next_in() {
    local i
    for i in "${!primary[@]}"; do
        [ "${primary[i]:0:32}" = $root_type ] || continue
        split "${primary[i]}"
        if [ "$best_index" = -1 ] || { [ "$priority" -gt "$best" ] && [ $((successful | tries)) != 0 ]; }; then
            best_drive=$1 best_index=$i best=-1
            [ $((successful | tries)) = 0 ] || best=$priority
        fi
    done
}
