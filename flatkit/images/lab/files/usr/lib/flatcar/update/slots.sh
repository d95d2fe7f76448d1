# shellcheck shell=bash disable=SC2154
# Writing a checked payload to the slot that does not run. The running slot's partition, files and bits are never touched.

# stage: everything but the last word, which make_next has.
stage() {
    local running
    running=$(rootdev -s /usr)
    disk=$(rootdev -s -d /usr)
    case $running in
        *3) letter=b other=${running%3}4 ;;
        *4) letter=a other=${running%4}3 ;;
        *) fail 5 "the running slot is $running, which is no USR partition"; return ;;
    esac
    boot=/boot/flatcar
    make_room || return
    [ "$(blockdev --getsize64 "$other")" -ge "$USR_SIZE" ] || { fail 5 "/usr does not fit into $other"; return; }
    # While it is being written nobody may boot it.
    cgpt add -P0 -T0 -S0 "$other" || { fail 5 "the bits of $other cannot be written"; return; }
    status FINALIZING
    say "Writing kernel and initrd to $boot/vmlinuz-$letter and initrd-$letter, /usr to $other."
    write_boot "vmlinuz-$letter" "$KERNEL_OFFSET" "$KERNEL_SIZE" && write_boot "initrd-$letter" "$INITRD_OFFSET" "$INITRD_SIZE" &&
        write_sums && write_usr
}

# The files of the other slot are replaced one by one, so that one of each has to fit beside what is there.
make_room() {
    local free needed=$((KERNEL_SIZE + INITRD_SIZE + 65536))
    ls $boot/vmlinuz-* >/dev/null 2>&1 || { fail 5 "/boot is not there, or holds no kernel"; return; }
    rm -f $boot/*.new
    free=$(($(free_bytes /boot) + $(size_of "$boot/vmlinuz-$letter") + $(size_of "$boot/initrd-$letter")))
    if [ $free -lt $needed ]; then
        fail 5 "Failed to copy the kernel to $boot/vmlinuz-$letter: /boot has room for $free bytes, $needed are needed"
        return
    fi
}

# write_boot NAME OFFSET SIZE: the old file goes first when both do not fit; its slot cannot be booted any more anyway.
write_boot() {
    [ "$(free_bytes /boot)" -gt $(($3 + 65536)) ] || rm -f "$boot/$1"
    if ! part "$2" "$3" >"$boot/$1.new" || ! sync "$boot/$1.new" || ! mv "$boot/$1.new" "$boot/$1"; then
        rm -f "$boot/$1.new"
        fail 5 "Failed to copy the kernel to $boot/$1: $(free_bytes /boot) bytes are free"
    fi
}

write_sums() {
    local sums=$boot/sums-$letter
    printf '%s  %s\n' "$KERNEL_SHA256" "vmlinuz-$letter" "$INITRD_SHA256" "initrd-$letter" >"$sums.new" &&
        sync "$sums.new" && mv "$sums.new" "$sums" && sync -f $boot &&
        # Read again from the disk, not from memory.
        dd of="$boot/vmlinuz-$letter" oflag=nocache conv=notrunc,fdatasync count=0 status=none &&
        dd of="$boot/initrd-$letter" oflag=nocache conv=notrunc,fdatasync count=0 status=none &&
        (cd $boot && sha256sum -c --status "sums-$letter") || fail 5 "what is in $boot is not what the payload's manifest says"
}

# Written, then read back from the disk: direct reads are many times slower on an emulated machine than dropping the cache.
write_usr() {
    part "$USR_OFFSET" "$USR_SIZE" of="$other" conv=fsync,notrunc || { fail 5 "writing to $other failed"; return; }
    say "Reading $other back and verifying it."
    blockdev --flushbufs "$other"
    [ "$(head -c "$USR_SIZE" "$other" | sha256sum)" = "$USR_SHA256  -" ] ||
        fail 5 "what is in $other is not what the payload's manifest says"
}

# make_next: the words of Flatcar's post-install script. One try: if it does not come up, the boot after is the old one.
make_next() {
    sync
    if ! cgpt repair "$disk" || ! cgpt add -S0 -T1 "$other" || ! cgpt prioritize "$other"; then
        fail 5 "the bits of $other cannot be written"
    fi
}
