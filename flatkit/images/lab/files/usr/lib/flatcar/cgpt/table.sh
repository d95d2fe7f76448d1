# shellcheck shell=bash disable=SC2034,SC2154
# A GUID partition table as cgpt sees it: both headers, both tables of 128 entries, and which of them are valid. Rules and
# fault names: flatcar/seismograph, src/firmware/lib/cgptlib. Bytes are kept as hex digits, because bash cannot keep a zero byte.
# `primary` and `secondary` have an entry each line of 256 digits; `header[1]` and `header[2]` and `mbr` are sectors.

faults=(GPT_SUCCESS GPT_ERROR_NO_VALID_KERNEL GPT_ERROR_INVALID_HEADERS GPT_ERROR_INVALID_ENTRIES
    GPT_ERROR_INVALID_SECTOR_SIZE GPT_ERROR_INVALID_SECTOR_NUMBER)
signature=454649205041525400 legacy_signature=4348524f4d454f5300 # "EFI PART", "CHROMEOS", and the zero byte that follows
zero_guid=00000000000000000000000000000000

# swap HEX: sets `swapped` to the bytes in the other order.
swap() {
    local rest=$1
    swapped=''
    while [ "$rest" ]; do
        swapped=${rest:0:2}$swapped rest=${rest:2}
    done
}

# number_of HEX: sets `value` to the little-endian number; from 2^63 on it is negative, as all numbers of the shell are.
number_of() {
    swap "$1"
    value=$((0x$swapped))
}

# hex_of VALUE DIGITS: sets `hex` to its little-endian bytes.
hex_of() {
    printf -v hex "%0$2x" "$1"
    swap "${hex: -$2}"
    hex=$swapped
}

# less A B: as unsigned numbers.
less() { (((${1} ^ 1 << 63) < (${2} ^ 1 << 63))); }

# bytes HEX...: the bytes on stdout.
bytes() {
    local each
    for each; do
        printf %b "${each//??/\\x&}"
    done
}

# crc32 HEX...: sets `value`; gzip's trailer has it, and no program is quicker here.
crc32() { read -r value < <(bytes "$@" | gzip -1c | tail -c 8 | od -An -N4 -tu4); }

# field HEADER NAME: sets `value` to a number of a header.
field() {
    case $2 in
        size) number_of "${1:24:8}" ;; crc) number_of "${1:32:8}" ;; reserved) number_of "${1:40:8}" ;;
        my) number_of "${1:48:16}" ;; alternate) number_of "${1:64:16}" ;; first) number_of "${1:80:16}" ;;
        last) number_of "${1:96:16}" ;; entries) number_of "${1:144:16}" ;; count) number_of "${1:160:8}" ;;
        stride) number_of "${1:168:8}" ;; entries_crc) number_of "${1:176:8}" ;;
    esac
}

# put WHICH AT VALUE DIGITS: writes a number into header[WHICH].
put() {
    hex_of "$3" "$4"
    header[$1]=${header[$1]:0:$2}$hex${header[$1]:$(($2 + $4))}
}

# open_drive PATH [write]: sets sectors, mbr, headers and tables, or reports why not.
open_drive() {
    local size lines text
    drive=$1
    if [ ! -e "$drive" ]; then
        reason "$drive"
        error "Can't open $drive: $text"$'\n'
    elif [ ! -r "$drive" ] || { [ "${2-}" ] && [ ! -w "$drive" ]; }; then
        error "Can't open $drive: Permission denied"$'\n'
    elif [ "${2-}" ] && [ -d "$drive" ]; then
        error "Can't open $drive: Is a directory"$'\n'
    elif [ -b "$drive" ]; then
        size=$(blockdev --getsize64 "$drive" 2>/dev/null) && sector_bytes=$(blockdev --getss "$drive") ||
            error "Can't open $drive: Operation not permitted"$'\n'
    elif [ -f "$drive" ]; then
        size=$(stat -Lc %s -- "$drive") sector_bytes=512
    else
        error "Can't read drive size from $drive: Inappropriate ioctl for device"$'\n'
    fi
    [ "${size-}" ] || return
    if [ $((size % sector_bytes)) != 0 ]; then
        error "Media size ($size) is not a multiple of sector size($sector_bytes)"$'\n'
        return 1
    fi
    sectors=$((size / sector_bytes))
    if [ $sectors -lt 34 ]; then
        error "Can't read enough: $((sectors > 1 ? sectors < 34 ? (sectors - 2) * 512 : 0 : 0)), not $((sectors > 1 ? 16384 : 512))"$'\n'
        return 1
    fi
    mapfile -t lines < <({
        dd if="$drive" bs=512 count=34 status=none
        dd if="$drive" bs=512 skip=$((sectors - 33)) count=33 status=none
    } | od -An -v -tx1 -w128)
    if [ ${#lines[@]} != 268 ]; then
        error "Can't read $drive"$'\n'
        return 1
    fi
    lines=("${lines[@]// /}")
    printf -v mbr %s "${lines[@]:0:4}"
    printf -v 'header[1]' %s "${lines[@]:4:4}"
    printf -v 'header[2]' %s "${lines[@]:264:4}"
    primary=("${lines[@]:8:128}") secondary=("${lines[@]:136:128}")
    entries_crc=() modified=0 valid_headers=0 valid_entries=0
    old_mbr=$mbr
}

# header_crc WHICH: sets `value` to the sum that the header should have.
header_crc() {
    local size
    field "${header[$1]}" size
    size=$((value < 512 ? value * 2 : 1024))
    local text=${header[$1]:0:32}00000000${header[$1]:40}
    crc32 "${text:0:size}"
}

check_header() {
    local text=${header[$1]} size
    [ "${text:0:18}" = $signature ] || [ "${text:0:18}" = $legacy_signature ] || return
    [ "${text:16:8}" = 00000100 ] || return
    field "$text" size
    [ "$value" -ge 92 ] && [ "$value" -le 512 ] || return
    header_crc "$1"
    local sum=$value
    field "$text" crc
    [ "$value" = "$sum" ] && [ "${text:40:8}" = 00000000 ] || return
    # 128 entries of 128 bytes.
    [ "${text:160:16}" = 8000000080000000 ] || return
    field "$text" my
    [ "$value" = $(($1 == 1 ? 1 : sectors - 1)) ] || return
    field "$text" entries
    [ "$value" = $(($1 == 1 ? 2 : sectors - 33)) ] || return
    local first last
    field "$text" first
    first=$value
    field "$text" last
    last=$value
    ! less "$first" 34 && less "$last" $((sectors - 33)) && ! less "$last" "$first"
}

# check_entries TABLE WHICH: whether a table (primary or secondary) is valid by header[WHICH]; sets `flaw` if it is not.
check_entries() {
    local -n table=$1
    local each first last starts=() ends=() uuids=() begin end i j
    if [ ! "${entries_crc[$1]-}" ]; then
        if [ "$1" = secondary ] && [ "${primary[*]}" = "${secondary[*]}" ] && [ "${entries_crc[primary]-}" ]; then
            entries_crc[secondary]=${entries_crc[primary]}
        else
            crc32 "${table[@]}"
            entries_crc[$1]=$value
        fi
    fi
    flaw="Entries' crc corrupted"
    field "${header[$2]}" entries_crc
    [ "$value" = "${entries_crc[$1]}" ] || return
    field "${header[$2]}" first
    first=$value
    field "${header[$2]}" last
    last=$value
    for each in "${table[@]}"; do
        [ "${each:0:32}" != $zero_guid ] || continue
        number_of "${each:64:16}"
        starts+=("$value")
        number_of "${each:80:16}"
        ends+=("$value")
        uuids+=("${each:32:32}")
    done
    for i in "${!starts[@]}"; do
        begin=${starts[i]} end=${ends[i]}
        flaw="Entry outside of valid region"
        if less "$begin" "$first" || less "$last" "$end" || less "$end" "$begin"; then return 1; fi
        for j in "${!starts[@]}"; do
            [ "$i" != "$j" ] || continue
            flaw="Starting LBA overlaps"
            if ! less "$begin" "${starts[j]}" && ! less "${ends[j]}" "$begin"; then return 1; fi
            flaw="Ending LBA overlaps"
            if ! less "$end" "${starts[j]}" && ! less "${ends[j]}" "$end"; then return 1; fi
            flaw="Duplicated GUID"
            [ "${uuids[i]}" != "${uuids[j]}" ] || return
        done
    done
}

# What both headers must have in common: all but where they and their entries are.
same_headers() {
    [ "${header[1]:0:32}${header[1]:40:8}${header[1]:80:64}${header[1]:160:24}" = \
        "${header[2]:0:32}${header[2]:40:8}${header[2]:80:64}${header[2]:160:24}" ]
}

# Less than that: what `show` compares.
synonymous() { [ "${header[1]:80:64}${header[1]:160:16}" = "${header[2]:80:64}${header[2]:160:16}" ]; }

# sanity_check: sets valid_headers and valid_entries (1 primary, 2 secondary, 3 both), and `code`, an index of `faults`.
sanity_check() {
    local good=0
    valid_headers=0 valid_entries=0 code=0
    entries_crc=()
    [ "$sector_bytes" = 512 ] || { code=4; return; }
    [ "$sectors" -ge 67 ] || { code=5; return; }
    ! check_header 1 || valid_headers=1 good=1
    ! check_header 2 || valid_headers=$((valid_headers | 2)) good=$((good ? good : 2))
    [ $valid_headers != 0 ] || { code=2; return; }
    ! check_entries primary $good || valid_entries=1
    ! check_entries secondary $good || valid_entries=$((valid_entries | 2))
    if [ $valid_headers = 3 ] && [ $valid_entries = 0 ]; then
        # Perhaps it is the second header that has the right sum.
        ! check_entries primary 2 || valid_entries=1
        ! check_entries secondary 2 || valid_entries=$((valid_entries | 2))
        [ $valid_entries = 0 ] || valid_headers=2
    fi
    [ $valid_entries != 0 ] || { code=3; return; }
    if [ $valid_headers = 3 ] && ! same_headers; then
        valid_headers=1
    fi
}

# must_be_sane: says what is wrong, as every command does.
must_be_sane() {
    sanity_check
    [ $code = 0 ] || { error "GptSanityCheck() returned $code: ${faults[code]}"$'\n'; return 1; }
}

# The header's own sum, as each change needs it.
sum_header() {
    header_crc "$1"
    put "$1" 32 "$value" 8
}

# copy_header FROM TO: with the places of the other one.
copy_header() {
    header[$2]=${header[$1]:0:184}${header[$2]:184}
    put "$2" 48 $(($2 == 1 ? 1 : sectors - 1)) 16
    put "$2" 64 $(($2 == 1 ? sectors - 1 : 1)) 16
    put "$2" 144 $(($2 == 1 ? 2 : sectors - 33)) 16
}

# A disk that has grown: the valid header's places are computed again.
recompute_size() {
    local which=1 backup=("${header[@]}") was alternate last my entries
    [ $((valid_headers & 1)) = 1 ] || which=2
    field "${header[which]}" last
    last=$value
    if [ $which = 1 ]; then
        field "${header[1]}" alternate
        [ "$value $last" != "$((sectors - 1)) $((sectors - 34))" ] || return 0
        put 1 64 $((sectors - 1)) 16
    else
        field "${header[2]}" my
        my=$value
        field "${header[2]}" entries
        [ "$my $value $last" != "$((sectors - 1)) $((sectors - 33)) $((sectors - 34))" ] || return 0
        put 2 48 $((sectors - 1)) 16
        put 2 144 $((sectors - 33)) 16
    fi
    put $which 96 $((sectors - 34)) 16
    sum_header $which
    was=$which
    sanity_check
    if [ $code != 0 ] || [ $valid_headers != $was ]; then
        header[1]=${backup[0]} header[2]=${backup[1]}
        sanity_check
        code=2
        return 1
    fi
    changed+=(header2 entries2)
    [ $was != 1 ] || changed+=(header1)
}

# repair_table: what is invalid becomes a copy of what is valid. Sets `changed`, and `code` if that cannot be done.
repair_table() {
    changed=()
    [ $valid_headers != 0 ] || { code=2; return 1; }
    [ $valid_entries != 0 ] || { code=3; return 1; }
    recompute_size || return
    case $valid_headers in
        1) copy_header 1 2; sum_header 2; changed+=(header2) ;;
        2) copy_header 2 1; sum_header 1; changed+=(header1) ;;
    esac
    case $valid_entries in
        1) secondary=("${primary[@]}"); changed+=(entries2) ;;
        2) primary=("${secondary[@]}"); changed+=(entries1) ;;
    esac
    valid_headers=3 valid_entries=3
}

# update_all: the primary was edited; the sums are computed, and the secondary becomes its copy.
update_all() {
    if [ "${header[1]:0:18}" != $legacy_signature ]; then
        secondary=("${primary[@]}")
    fi
    copy_header 1 2
    changed=(header1 entries1 header2 entries2)
    sum_table
}

sum_table() {
    if [ "${header[1]:0:18}" != $legacy_signature ]; then
        crc32 "${primary[@]}"
        put 1 176 "$value" 8
        entries_crc=([primary]=$value)
    fi
    crc32 "${secondary[@]}"
    put 2 176 "$value" 8
    sum_header 1
    sum_header 2
}

# write_table: the backup first (Flatcar's tool: the primary first), so that one of the two is whole at any moment.
write_table() {
    case " ${changed[*]-} " in
        *2\ *) write_sectors $((sectors - 33)) "${secondary[@]}" "${header[2]}" || { error "Cannot write secondary header"$'\n'; return 1; } ;;
    esac
    case " ${changed[*]-} " in
        *1\ *) write_sectors 1 "${header[1]}" "${primary[@]}" || { error "Cannot write primary header"$'\n'; return 1; } ;;
    esac
}

# write_sectors AT HEX...
write_sectors() {
    local at=$1
    shift
    bytes "$@" | dd of="$drive" bs=512 seek="$at" iflag=fullblock conv=notrunc,fsync status=none
}
