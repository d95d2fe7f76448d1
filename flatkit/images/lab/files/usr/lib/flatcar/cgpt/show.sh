# shellcheck shell=bash disable=SC2034,SC2154
# What cgpt prints of a table: `show` and `find`.

# split ENTRY: sets type, uuid (digits as on the disk), start, end, attributes, and the slot's bits.
split() {
    type=${1:0:32} uuid=${1:32:32}
    number_of "${1:64:16}"
    start=$value
    number_of "${1:80:16}"
    end=$value
    number_of "${1:96:16}"
    attributes=$value
    priority=$((attributes >> 48 & 15)) tries=$((attributes >> 52 & 15)) successful=$((attributes >> 56 & 1))
}

# label_of ENTRY: sets `label`, UTF-8 of at most 71 bytes as in Flatcar's tool; `whole` is empty if the name is no UTF-16.
label_of() {
    local at unit high='' room=71 escaped=''
    whole=yes
    for ((at = 112; at < 256; at += 4)); do
        unit=$((0x${1:at + 2:2}${1:at:2}))
        [ $unit != 0 ] || break
        if [ "$high" ]; then
            [ $((unit >> 10)) = 55 ] || { whole=''; break; }
            unit=$((high << 10 | unit & 0x3ff)) high=''
        elif [ $((unit >> 10)) = 54 ]; then
            high=$(((unit & 0x3ff) + 0x40))
            continue
        fi
        if [ $unit -lt 128 ]; then
            printf -v hex '\\x%02x' $unit
        elif [ $unit -lt 2048 ]; then
            printf -v hex '\\x%02x' $((192 | unit >> 6)) $((128 | unit & 63))
        elif [ $unit -lt 65536 ]; then
            printf -v hex '\\x%02x' $((224 | unit >> 12)) $((128 | unit >> 6 & 63)) $((128 | unit & 63))
        else
            printf -v hex '\\x%02x' $((240 | unit >> 18)) $((128 | unit >> 12 & 63)) $((128 | unit >> 6 & 63)) $((128 | unit & 63))
        fi
        room=$((room - ${#hex} / 4))
        [ $room -ge 0 ] || { whole=''; break; }
        escaped+=$hex
        [ $room != 0 ] || break
    done
    printf -v label %b "$escaped"
}

more() { printf '%34s%s\n' '' "$1"; }

# show_entry ENTRY NUMBER
show_entry() {
    local text name
    split "$1"
    label_of "$1"
    printf '%12u%12u%8d  Label: "%s"\n' "$start" $((end - start + 1)) "$2" "$label"
    guid_text "$type"
    name=$text
    [ "$numeric" ] || type_name "$text"
    more "Type: $name"
    guid_text "$uuid"
    more "UUID: $text"
    if [ "$numeric" ]; then
        printf '%34sAttr: 0x%016x\n' '' "$attributes"
    elif [ "$type" = "$root_type" ] || [ "$type" = "$kernel_type" ]; then
        more "Attr: priority=$priority tries=$tries successful=$successful"
    elif [ $((attributes & 4)) != 0 ]; then
        more "Attr: Legacy BIOS Bootable"
    fi
}

# show_entries TABLE: those in use.
show_entries() {
    local -n entries=$1
    local i
    for i in "${!entries[@]}"; do
        [ "${entries[i]:0:32}" = $zero_guid ] || show_entry "${entries[i]}" $((i + 1))
    done
}

# show_header WHICH TABLE
show_header() {
    local text=${header[$1]} sum good
    local -n entries=$2
    if [ "$numeric" ]; then
        local sig=${text:0:16}
        sig=${sig^^}
        sig=${sig//??/&-}
        more "Sig: [${sig%-}]"
    else
        printf '%34sSig: [' ''
        bytes "${text:0:16}"
        echo ']'
    fi
    number_of "${text:16:8}"
    printf '%34sRev: 0x%08x\n' '' $value
    field "$text" size
    more "Size: $value"
    local size=$value
    header_crc "$1"
    sum=$value
    field "$text" crc
    good=''
    [ "$sum" = "$value" ] && [ "$size" -le 512 ] || good='(INVALID)'
    printf '%34sHeader CRC: 0x%08x %s\n' '' "$value" "$good"
    field "$text" my
    printf '%34sMy LBA: %u\n' '' "$value"
    field "$text" alternate
    printf '%34sAlternate LBA: %u\n' '' "$value"
    field "$text" first
    printf '%34sFirst LBA: %u\n' '' "$value"
    field "$text" last
    printf '%34sLast LBA: %u\n' '' "$value"
    local header_text=$text
    guid_text "${header_text:112:32}"
    more "Disk UUID: $text"
    field "$header_text" entries
    printf '%34sEntries LBA: %u\n' '' "$value"
    field "$header_text" count
    local count=$value
    more "Number of entries: $value"
    field "$header_text" stride
    more "Size of entry: $value"
    good=''
    case $((count * value)) in
        0) sum=0 ;;
        16384) crc32 "${entries[@]}"; sum=$value ;;
        *) sum='' ;;
    esac
    field "$header_text" entries_crc
    [ "$sum" = "$value" ] || good=INVALID
    printf '%34sEntries CRC: 0x%08x %s\n' '' "$value" "$good"
}

# valid_table: sets `any` to the name of a table that is valid.
valid_table() {
    any=primary
    [ $((valid_entries & 1)) = 1 ] || any=secondary
}

show_options=nvqi:bstulSTPAd
show() {
    numeric='' verbose='' quick='' debug='' item='' partition=0
    take() {
        case $1 in
            n) numeric=yes ;; v) verbose=yes ;; q) quick=yes ;; d) debug=yes ;;
            i) partition_option "$2" ;;
            *) item=$1 ;;
        esac
    }
    parse $show_options "$@"
    [ $mistakes = 0 ] || end_with_usage
    if [ ${#drives[@]} = 0 ]; then
        error "missing drive argument"$'\n'
        end_with_usage
    fi
    whole_drive "${drives[0]}" && open_drive "$drive" && must_be_sane || return
    valid_table
    if [ "$partition" != 0 ]; then
        show_partition || return
    elif [ "$quick" ]; then
        show_quick
    else
        show_all
    fi
    if [ "$valid_headers$valid_entries" != 33 ]; then
        printf "\nWARNING: one of the GPT header/entries is invalid, please run 'cgpt repair'\n" >&2
    fi
}

show_partition() {
    local -n chosen=$any
    local text entry
    if [ "$partition" -gt 128 ]; then
        error "invalid partition number: $(as_int $partition)"$'\n'
        return 1
    fi
    entry=${chosen[partition - 1]}
    split "$entry"
    label_of "$entry"
    case $item in
        '') printf '%12s%12s%8s  %s\n' start size part contents; show_entry "$entry" "$partition" ;;
        b) echo "$start" ;;
        s) echo $((end - start + 1)) ;;
        t) guid_text "$type"; echo "$text" ;;
        u) guid_text "$uuid"; echo "$text" ;;
        l) printf '%s\n' "$label" ;;
        S) echo $successful ;;
        T) echo $tries ;;
        P) echo $priority ;;
        A) printf '0x%x\n' "$attributes" ;;
    esac
}

show_quick() {
    local -n chosen=$any
    local i text name
    for i in "${!chosen[@]}"; do
        [ "${chosen[i]:0:32}" != $zero_guid ] || continue
        split "${chosen[i]}"
        guid_text "$type"
        name=$text
        [ "$numeric" ] || type_name "$text"
        printf '%12u%12u%8d  %s\n' "$start" $((end - start + 1)) $((i + 1)) "$name"
    done
}

# line START SIZE VALID NAME: one of the table's own parts.
line() {
    local word=''
    [ "$3" ] || word=INVALID
    printf '%12u%12u%8s  %s\n' "$1" "$2" "$word" "$4"
}

show_all() {
    local text h1='' h2='' e1='' e2='' same=''
    [ $((valid_headers & 1)) = 0 ] || h1=yes
    [ $((valid_headers & 2)) = 0 ] || h2=yes
    [ $((valid_entries & 1)) = 0 ] || e1=yes
    [ $((valid_entries & 2)) = 0 ] || e2=yes
    [ "${primary[*]}" != "${secondary[*]}" ] || same=yes
    printf '%12s%12s%8s  %s\n' start size part contents
    mbr_text
    line 0 1 yes "$text"
    line 1 1 "$h1" "Pri GPT header"
    if [ "$debug" ] || { [ "$h1" ] && [ "$verbose" ]; }; then
        show_header 1 primary
    fi
    line 2 32 "$e1" "Pri GPT table"
    if [ "$debug" ] || [ "$e1" ]; then
        show_entries primary
    fi
    line $((sectors - 33)) 32 "$e2" "Sec GPT table"
    if [ "$debug" ] || { [ "$e2" ] && { [ ! "$e1" ] || [ ! "$same" ]; }; }; then
        show_entries secondary
    fi
    # An invalid one is said to be in sector 1, on Flatcar too.
    line $((${#h2} ? sectors - 1 : 1)) 1 "$h2" "Sec GPT header"
    if [ "$debug" ] || { [ "$h2" ] && [ "$verbose" ] && { [ ! "$h1" ] || ! synonymous; }; }; then
        show_header 2 secondary
    fi
}

find_options=v1nt:u:l:M:O:
find() {
    local wanted_type='' wanted_uuid='' wanted_label='' by_label='' content='' offset=0 numeric='' verbose='' only='' hits=0
    take() {
        case $1 in
            v) verbose=yes ;; n) numeric=yes ;; 1) only=yes ;;
            l) wanted_label=$2 by_label=yes ;;
            t) guid=''; type_option "$2"; wanted_type=${guid:-none} ;;
            u) wanted_uuid=none; if parse_guid "$2"; then wanted_uuid=$guid; else mistake "invalid argument to -u: $2"$'\n'; fi ;;
            M) content=$2; [ -r "$2" ] && [ -s "$2" ] && [ ! -d "$2" ] || mistake "Unable to read from $2"$'\n' ;;
            O) number_option O "$2"; offset=$number ;;
        esac
    }
    parse $find_options "$@"
    if [ ! "$wanted_type$wanted_uuid$by_label" ]; then
        mistake "You must specify at least one of -t, -u, or -l"$'\n'
    fi
    [ $mistakes = 0 ] || end_with_usage
    [ ${#drives[@]} != 0 ] || mapfile -t drives < <(whole_disks)
    local path
    for path in "${drives[@]}"; do
        open_drive "$path" && sanity_check && [ $code = 0 ] || continue
        find_in "$path" || break
    done
    [ $hits != 0 ] && { [ ! "$only" ] || [ $hits = 1 ]; }
}

find_in() {
    valid_table
    local -n chosen=$any
    local i entry part
    for i in "${!chosen[@]}"; do
        entry=${chosen[i]}
        [ "${entry:0:32}" != $zero_guid ] || continue
        if [ "${entry:32:32}" != "$wanted_uuid" ] && [ "${entry:0:32}" != "$wanted_type" ]; then
            [ "$by_label" ] || continue
            label_of "$entry"
            [ "$whole" ] || { error "The label cannot be converted from UTF16, so abort."$'\n'; return 0; }
            [ "$label" = "$wanted_label" ] || continue
        fi
        split "$entry"
        [ ! "$content" ] || has_content "$1" || continue
        hits=$((hits + 1)) part=$((i + 1))
        case $numeric$1 in
            yes*) echo $part ;;
            /dev/mmcblk*) echo "$1p$part" ;;
            *) echo "$1$part" ;;
        esac
        [ ! "$verbose" ] || show_entry "$entry" $part
    done
}

# has_content DISK: whether the partition has the bytes of the file `content` at `offset`.
has_content() {
    local size
    size=$(stat -Lc %s -- "$content")
    less $((512 * (end - start + 1))) $((offset + size)) && return 1
    dd if="$1" bs=1M iflag=skip_bytes,count_bytes skip=$((512 * start + offset)) count="$size" status=none | cmp -s - "$content"
}
