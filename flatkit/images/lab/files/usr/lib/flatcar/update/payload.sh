# shellcheck shell=bash disable=SC2034,SC2154
# Fetching a payload and judging it. Its layout is described in flatkit/updates/payload.py. Nothing here touches a slot.

key=/usr/share/update_engine/update-payload-key.pub.pem

# download: to $file, going on where an earlier try stopped; its hash must be the one that was offered. Until then all of
# it has another name.
download() {
    local url have part
    file=$state/payload-${offer_sha256:0:16}
    part=$file.part
    find $state -maxdepth 1 -name 'payload-*' ! -name "${file##*/}" ! -name "${part##*/}" -delete
    [ ! -e "$file" ] || mv "$file" "$part"
    have=$(size_of "$part") resumed=''
    [ "$have" = 0 ] || resumed=yes
    if [ "$(free_bytes $state)" -lt $((offer_size - have + 1048576)) ]; then
        rm -f "$part"
        fail 9 "no space left on the disk: the payload needs $offer_size bytes in $state"
        return
    fi
    status DOWNLOADING
    send 13 1
    for url in "${offer_urls[@]}"; do
        say "Downloading $url"
        ! fetch "$url" || break
    done
    [ "$(size_of "$part")" = "$offer_size" ] || return
    # A file is hashed as a file: through a pipe that takes an emulated processor twice as long.
    if [ "$(sha256sum <"$part")" != "$offer_sha256  -" ]; then
        rm -f "$part"
        fail 10 "the payload has another SHA-256 than the server promised"
        return
    fi
    mv "$part" "$file"
    send 14 1
}

# fetch URL: false with a reason when three tries in a row brought nothing.
fetch() {
    local tries=0 looks=0 again='' have before pid status now began
    clock
    began=$now
    while [ "$(size_of "$part")" -lt "$offer_size" ]; do
        clock
        [ $((now - began)) -lt $download_seconds ] || { fail 9 "downloading $1 took more than $download_seconds seconds"; return; }
        before=$(size_of "$part")
        transfer "$1" "$before" $((download_seconds - now + began)) &
        pid=$!
        while kill -0 $pid 2>/dev/null; do
            [ $((looks++ % 5)) != 0 ] || show_progress "$(size_of "$part")"
            pause 0.2
        done
        wait $pid
        status=$?
        have=$(size_of "$part")
        [ $status != 0 ] || [ "$have" -ge "$offer_size" ] || status=18 # what a server calls the end is not always one
        [ "$have" -le "$before" ] || tries=0
        case $status in
            0) break ;;
            # What is there does not go on as the server would have it: begin anew, once. A file that is shorter than was promised
            # would be fetched again and again.
            22 | 33)
                if grep -q -e 416 -e 'Cannot resume' $run/curl.log; then
                    rm -f "$part"
                    [ ! "$again" ] || tries=2
                    again=yes
                fi
                ;;
            23) rm -f "$part"; fail 9 "no space left on the disk while downloading"; return ;;
            63)
                rm -f "$part"
                # A server that knows no ranges sends all of it again, to what is there already: begin anew, once.
                if [ "$before" = 0 ] || [ "$again" ]; then
                    fail 10 "the payload is larger than the $offer_size bytes that were promised"
                    return
                fi
                again=yes
                ;;
        esac
        tries=$((tries + 1))
        if [ $tries -ge 3 ]; then
            fail 9 "downloading $1 failed after $have of $offer_size bytes: $(curl_reason)"
            return
        fi
        pause $tries
    done
    have=$(size_of "$part")
    [ "$have" = "$offer_size" ] || { rm -f "$part"; fail 10 "the payload has $have bytes, $offer_size were promised"; }
}

# transfer URL HAVE SECONDS: appends to what is there already. No more is written than was promised, and one byte: a server
# that sends more ends with status 63, as curl has it. The file's limit is for an answer that does not tell its length.
transfer() (
    trap '' XFSZ
    prlimit --pid $BASHPID --fsize=$((offer_size + 1))
    get "$1" --fail --max-time "$3" --speed-limit 1024 --speed-time 15 --max-filesize $((offer_size - $2)) \
        --continue-at "$2" --output "$part" 2>$run/curl.log
    status=$?
    [ "$(size_of "$part")" -le "$offer_size" ] || exit 63
    exit $status
)

show_progress() {
    local millionths=$(($1 * 1000000 / offer_size))
    status DOWNLOADING "$(printf '%d.%06d' $((millionths / 1000000)) $((millionths % 1000000)))"
}

# part OFFSET SIZE [WORD...]: that stretch of the payload; WORDs are dd's.
part() { dd if="$file" bs=1M iflag=skip_bytes,count_bytes skip="$1" count="$2" status=none "${@:3}"; }

# check_payload: header, then the signature over everything, then the manifest. Sets the manifest's keys. The hash of each part
# is compared where it was written, as Flatcar does.
check_payload() {
    local magic format at size signed signature
    say "Verifying the payload: signature, then the manifest."
    read -r magic format at size signed signature < <(head -c 511 "$file" | tr -d '\0')
    # No leading zero: the shell would count in octal.
    local numbers='^[1-9][0-9]{0,3} [1-9][0-9]{0,11} [1-9][0-9]{0,3}$'
    if [ "$magic $format $at" != "FLATKIT-LAB-PAYLOAD 1 512" ] || ! [[ "$size $signed $signature" =~ $numbers ]] ||
        [ "$size" -gt 3584 ] || [ $((signed + signature)) != "$offer_size" ]; then
        refuse "it is no whole lab payload"
        return
    fi
    tail -c "$signature" "$file" >$run/signature
    # What is signed is all but the signature, which is put back: this file may be needed again, without a server.
    truncate -s "$signed" "$file"
    if ! openssl dgst -sha256 -verify $key -signature $run/signature "$file" >/dev/null 2>&1; then
        reason_code=18 refuse "its signature is not by the key in /usr"
        return
    fi
    cat $run/signature >>"$file"
    read_manifest "$at" "$size" || { refuse "its manifest is damaged"; return; }
    if [ "$(part $((KERNEL_OFFSET + 64)) 64)" != "$USR_ROOT_HASH" ]; then
        refuse "its kernel names another root hash than its manifest"
    elif [ "$VERSION" != "$offer_version" ]; then
        refuse "it is version $VERSION, and $offer_version was offered"
    fi
}

# refuse WHY: such a payload is not kept, so that the next check begins anew.
refuse() {
    rm -f "$file"
    fail "${reason_code:-10}" "the payload is refused: $1"
}

# read_manifest AT SIZE: only the keys that are known, and only values that no shell could misread.
read_manifest() {
    local name value seen=0
    while IFS='=' read -r name value; do
        case $name in
            VERSION) [[ $value =~ ^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$ ]] || return ;;
            USR_ROOT_HASH | USR_SHA256 | KERNEL_SHA256 | INITRD_SHA256) [[ $value =~ ^[0-9a-f]{64}$ ]] || return ;;
            USR_HASH_OFFSET | USR_OFFSET | USR_SIZE | KERNEL_OFFSET | KERNEL_SIZE | INITRD_OFFSET | INITRD_SIZE)
                [[ $value =~ ^(0|[1-9][0-9]{0,11})$ ]] || return
                ;;
            *) return 1 ;;
        esac
        printf -v "$name" %s "$value"
        seen=$((seen + 1))
    done < <(part "$1" "$2" | tr -d '\0')
    [ $seen = 12 ]
}
