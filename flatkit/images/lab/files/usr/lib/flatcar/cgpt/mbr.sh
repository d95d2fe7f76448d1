# shellcheck shell=bash disable=SC2034,SC2154
# The first sector of the disk: an MBR that protects the table, or that also names a partition for old BIOSes (hybrid).

# chs LBA: sets `hex` to head, sector, cylinder, as the MBR has them.
chs() {
    local c=0 h=0 s=0
    if (($1 > 1024 * 255 * 63)); then
        c=1023 h=254 s=63
    elif (($1 > 0)); then
        c=$(($1 / (255 * 63))) h=$(($1 % (255 * 63) / 63)) s=$(($1 % 63 + 1))
    fi
    printf -v hex %02x%02x%02x $h $((c >> 2 & 0xc0 | s)) $((c & 255))
}

# update_mbr TABLE: a protective MBR, or a hybrid one for a partition with the flag "legacy BIOS bootable".
update_mbr() {
    local -n table=$1
    local each begin end parts=''
    local most=$((sectors <= 0xffffffff ? sectors - 1 : 0xffffffff))
    for each in "${table[@]}"; do
        [ "${each:0:32}" != $zero_guid ] && [ $((0x${each:96:2} & 4)) != 0 ] || continue
        number_of "${each:64:16}"
        begin=$value
        number_of "${each:80:16}"
        end=$value
        less "$end" $most || continue
        mbr_part 80 0c "$begin" "$end"
        mbr_part 00 ee 1 $((begin - 1))
        break
    done
    if [ ! "$parts" ]; then
        hex_of $most 8
        parts=00000200eeffffff01000000$hex
    fi
    printf -v parts %s%0128d "$parts" 0
    mbr=${mbr:0:892}${parts:0:128}55aa
}

# mbr_part STATUS TYPE FIRST LAST: appended to `parts`.
mbr_part() {
    local from
    chs "$3"
    from=$hex
    chs "$4"
    parts+=$1$from$2$hex
    hex_of "$3" 8
    parts+=$hex
    hex_of $(($4 - $3 + 1)) 8
    parts+=$hex
}

# write_mbr: the protective MBR, if it is another than the disk has.
write_mbr() {
    [ "$mbr" != "$old_mbr" ] || return 0
    bytes "$mbr" | dd of="$drive" bs=512 conv=notrunc,fsync status=none
}

# mbr_text: sets `text` to what the first sector is.
mbr_text() {
    if [ "${mbr:1020:4}" != 55aa ]; then
        text=Unknown
    elif [ "${mbr:888:4}" != 1d9a ]; then
        text="Protective MBR"
        [ "${mbr:932:2}" = 00 ] || text="Hybrid MBR"
    elif [ "${mbr:848:32}" = $zero_guid ]; then
        text="PMBR (SYSLINUX3)"
    else
        guid_text "${mbr:848:32}"
        text="PMBR (SYSLINUX3, Boot GUID: $text)"
    fi
}
