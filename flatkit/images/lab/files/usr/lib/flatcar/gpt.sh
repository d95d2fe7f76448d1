# shellcheck shell=sh
# GPT attribute bits of the USR partitions, for busybox sh (the selector) and bash (cgpt): priority 48-51, tries 52-55,
# successful 56. sfdisk reads and writes them: it takes the backup header when the primary is torn, and writes the backup
# first, so that one of the two is whole at any moment.

gpt_usr_type=5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6

# gpt_slots DISK: a line "NUMBER PRIORITY TRIES SUCCESSFUL" for each USR partition, in their order on the disk.
gpt_slots() {
    sfdisk --dump "$1" 2>/dev/null | while read -r gpt_line; do
        # A name is the disk owner's text, and may read like another field; sfdisk writes its quotes as \x22.
        case ${gpt_line%%name=*} in
            *"type=$gpt_usr_type"*) ;;
            *) continue ;;
        esac
        gpt_number=${gpt_line%% *}
        gpt_number=${gpt_number##*[!0-9]}
        case $gpt_line in
            *' attrs="'*GUID:*) gpt_bits=${gpt_line##*' attrs="'} gpt_bits=${gpt_bits##*GUID:} gpt_bits=${gpt_bits%%\"*} ;;
            *) gpt_bits= ;;
        esac
        echo "$gpt_number $(gpt_decode "$gpt_bits")"
    done
}

# gpt_decode "48,56": "PRIORITY TRIES SUCCESSFUL"
gpt_decode() {
    gpt_p=0 gpt_t=0 gpt_s=0
    gpt_rest=$1,
    while [ "$gpt_rest" ] && [ "$gpt_rest" != , ]; do
        gpt_bit=${gpt_rest%%,*}
        gpt_rest=${gpt_rest#*,}
        case $gpt_bit in
            48 | 49 | 50 | 51) gpt_p=$((gpt_p | 1 << (gpt_bit - 48))) ;;
            52 | 53 | 54 | 55) gpt_t=$((gpt_t | 1 << (gpt_bit - 52))) ;;
            56) gpt_s=1 ;;
        esac
    done
    echo "$gpt_p $gpt_t $gpt_s"
}

# gpt_encode PRIORITY TRIES SUCCESSFUL: "48,56"
gpt_encode() {
    gpt_word=$(($1 | $2 << 4 | $3 << 8)) gpt_list=
    for gpt_bit in 0 1 2 3 4 5 6 7 8; do
        [ $((gpt_word >> gpt_bit & 1)) = 0 ] || gpt_list=$gpt_list,$((gpt_bit + 48))
    done
    echo "${gpt_list#,}"
}

# gpt_write DISK NUMBER PRIORITY TRIES SUCCESSFUL
gpt_write() {
    gpt_list=$(gpt_encode "$3" "$4" "$5")
    sfdisk --quiet --no-reread --no-tell-kernel --part-attrs "$1" "$2" "${gpt_list:+GUID:$gpt_list}" >/dev/null
}
