# shellcheck shell=bash disable=SC2034,SC2154
# What cgpt does to a whole disk: repair, create, boot, legacy, resize.

repair_options=v
repair() {
    local verbose='' each
    partition=0
    take() { verbose=yes; }
    parse $repair_options "$@"
    [ $mistakes = 0 ] || end_with_usage
    [ ${#drives[@]} != 0 ] || { error "missing drive argument"$'\n'; return 1; }
    whole_drive "${drives[0]}" && open_drive "$drive" write || return
    sanity_check
    [ ! "$verbose" ] || echo "GptSanityCheck() returned $code: ${faults[code]}"
    if ! repair_table; then
        error "GptRepair() returned $code: ${faults[code]}"$'\n'
        return 1
    fi
    for each in "header1 Primary Header" "entries1 Primary Entries" "entries2 Secondary Entries" "header2 Secondary Header"; do
        case " ${changed[*]} " in *" ${each%% *} "*) echo "${each#* } is updated." ;; esac
    done
    update_mbr primary
    write_mbr || error "Failed to write legacy MBR."$'\n'
    write_table
}

create_options=cs:zg:
create() {
    local make='' least=0 zap='' wanted='' sector entries i
    take() {
        case $1 in
            z) zap=yes ;; c) make=yes ;; g) wanted=$2 ;;
            s) number_option s "$2"; least=$number ;;
        esac
    }
    parse $create_options "$@"
    if [ "$make" ] && [ "$least" = 0 ]; then
        mistake "minimum size (-s) is required with create (-c)"$'\n'
    fi
    [ $mistakes = 0 ] && [ ${#drives[@]} != 0 ] || end_with_usage
    drive=${drives[0]}
    if [ "$make" ] && [ ! -e "$drive" ]; then
        : >"$drive" || return
    fi
    if [ -f "$drive" ] && [ -w "$drive" ] && less "$(stat -Lc %s -- "$drive")" $((least * 512)); then
        truncate -s $((least * 512)) -- "$drive" || return
    fi
    open_drive "$drive" write || return
    if less $((sectors * 512)) $((least * 512)); then
        error "Drive $drive is smaller than minimum: $least"$'\n'
        return 1
    fi
    printf -v sector %01024d 0
    printf -v entries %0256d 0
    header[1]=$sector header[2]=$sector mbr=$sector
    for i in "${!primary[@]}"; do
        primary[i]=$entries secondary[i]=$entries
    done
    if [ ! "$zap" ]; then
        parse_guid "${wanted:-$(</proc/sys/kernel/random/uuid)}" || { error "Provided GUID is invalid: \"$wanted\""$'\n'; return 1; }
        header[1]=${signature:0:16}000001005c000000${sector:0:80}$guid${sector:0:16}8000000080000000${sector:0:856}
        put 1 48 1 16
        put 1 64 $((sectors - 1)) 16
        put 1 80 34 16
        put 1 96 $((sectors - 34)) 16
        put 1 144 2 16
        update_all
        update_mbr primary
    fi
    changed=(header1 entries1 header2 entries2)
    write_mbr && write_table
}

boot_options=i:b:p
boot() {
    local file='' named='' make='' code_bytes text
    local -a nothing=()
    partition=0
    take() {
        case $1 in
            i) partition_option "$2" ;; b) file=$2 named=yes ;; p) make=yes ;;
        esac
    }
    parse $boot_options "$@"
    [ $mistakes = 0 ] || end_with_usage
    [ ${#drives[@]} != 0 ] || { error "missing drive argument"$'\n'; return 1; }
    if [ "$partition$named$make" = 0 ]; then
        open_drive "${drives[0]}" || return
    else
        open_drive "${drives[0]}" write && sanity_check || return
    fi
    if [ "$make" ]; then
        printf -v mbr %01024d 0
        update_mbr nothing # a partition with the flag for old BIOSes comes in with the next `add`, as on Flatcar
        mbr=${mbr:0:888}1d9a${mbr:892}
    fi
    if [ "$partition" != 0 ]; then
        must_be_sane || return
        [ "$partition" -le 128 ] || { error "invalid partition number: $(as_int $partition)"$'\n'; return 1; }
        valid_table
        local -n chosen=$any
        mbr=${mbr:0:848}${chosen[partition - 1]:32:32}${mbr:880}
    fi
    if [ "$named" ]; then
        [ -r "$file" ] || { reason "$file"; error "Can't read $file: $text"$'\n'; return 1; }
        code_bytes=$(od -An -v -tx1 -N424 -- "$file" 2>/dev/null | tr -d ' \n')
        if [ ! "$code_bytes" ]; then
            text=Success
            [ ! -d "$file" ] || text="Is a directory"
            error "problem reading $file: $text"$'\n'
            return 1
        fi
        mbr=$code_bytes${mbr:${#code_bytes}}
    fi
    guid_text "${mbr:848:32}"
    echo "$text"
    write_mbr
}

legacy_options=e
legacy() {
    local back='' i zeros
    take() { back=yes; }
    parse $legacy_options "$@"
    [ $mistakes = 0 ] && [ ${#drives[@]} != 0 ] || end_with_usage
    open_drive "${drives[0]}" write || return
    if [ "$back" ]; then
        header[1]=$signature${header[1]:18} header[2]=$signature${header[2]:18}
        primary=("${secondary[@]}")
    else
        header[1]=$legacy_signature${header[1]:18} header[2]=$legacy_signature${header[2]:18}
        printf -v zeros %0256d 0
        for i in 0 1 2 3; do
            primary[i]=$zeros
        done
    fi
    changed=(header1 entries1 header2)
    [ ! "$back" ] || { crc32 "${primary[@]}"; put 1 176 "$value" 8; }
    sum_92 1
    sum_92 2
    write_table
}

# sum_92 WHICH: the sum of 92 bytes, whatever the header says of its size.
sum_92() {
    crc32 "${header[$1]:0:32}00000000${header[$1]:40:144}"
    put "$1" 32 "$value" 8
}

resize_options=d:m:
resize() {
    local least=$((2 * 1024 * 1024)) device folder index last each begin old_end room
    take() {
        case $1 in
            m) number_option m "$2"; least=$((number & 0xffffffff)) ;;
            d) mistakes=$((mistakes + 1)) ;; # read and refused without a word
        esac
    }
    parse $resize_options "$@"
    [ $mistakes = 0 ] || end_with_usage
    [ ${#drives[@]} != 0 ] || { error "missing partition argument"$'\n'; return 1; }
    device=$(readlink -f -- "${drives[0]}")
    # As on Flatcar, blkid must know what is on it.
    if [ ! -e "$device" ] || ! blkid -- "$device" >/dev/null 2>&1; then
        error "device not found ${drives[0]}"$'\n'
        return 1
    elif [ ! -b "$device" ]; then
        error "Failed to find whole disk device for ${drives[0]}"$'\n'
        return 1
    fi
    folder=/sys/class/block/${device##*/} drive=$device index=-1
    if [ -e "$folder/partition" ]; then
        index=$(($(<"$folder/partition") - 1))
        drive=$(readlink -f "$folder/..")
        drive=/dev/${drive##*/}
    fi
    open_drive "$drive" write && must_be_sane || return
    if ! repair_table; then
        error "GptRepair() returned $code: ${faults[code]}"$'\n'
        return 1
    elif [ $index -lt 0 ] || [ $index -gt 127 ]; then
        error "Kernel and GPT disagree on the number of partitions!"$'\n'
        return 1
    fi
    field "${header[1]}" last
    last=$value
    number_of "${primary[index]:80:16}"
    old_end=$value
    for each in "${primary[@]}"; do
        [ "${each:0:32}" != $zero_guid ] || continue
        number_of "${each:64:16}"
        if less "$old_end" "$value" && less $((value - 1)) "$last"; then
            last=$((value - 1))
        fi
    done
    room=$(((last - old_end) * 512))
    [ $old_end -lt $last ] && [ $room -ge $least ] || return 0
    number_of "${primary[index]:64:16}"
    begin=$value
    hex_of "$last" 16
    primary[index]=${primary[index]:0:80}$hex${primary[index]:96}
    update_all
    update_mbr primary
    write_mbr && write_table || return
    # The kernel reads the new size from the table (Flatcar's tool tells it, and writes afterwards).
    if ! partx --update --nr $((index + 1)) "$drive"; then
        error "Failed to notify kernel of new partition size: Invalid argument"$'\n'
        return 1
    fi
}
