# shellcheck shell=bash disable=SC2034,SC2154
# Omaha 3.0 as update_engine speaks it: requests are written, answers are read with bash alone.

# An "&" that is not quoted would stand for what was found (bash 5.2).
escaped() {
    local text=${1//&/"&amp;"}
    text=${text//</"&lt;"}
    text=${text//>/"&gt;"}
    text=${text//\"/"&quot;"}
    printf '%s\n' "$text"
}

# request INSIDE: the whole request; INSIDE is what the app says or asks, $source whether a person or the timer wanted it.
request() {
    local alias group oem='' aleph=$version word words
    alias=$(conf MACHINE_ALIAS)
    group=$(conf GROUP)
    [ ! -e $state/prefs/aleph-version ] || aleph=$(<$state/prefs/aleph-version)
    read -r -a words </proc/cmdline
    for word in "${words[@]}"; do
        case $word in flatcar.oem.id=*) oem=${word#*=} ;; esac
    done
    cat <<XML
<?xml version="1.0" encoding="UTF-8"?>
<request protocol="3.0" version="flatcar-lab-$version" updaterversion="flatcar-lab-$version" installsource="$source" ismachine="1">
    <os version="Chateau" platform="CoreOS" sp="${version}_$(uname -m)"></os>
    <app appid="$(conf FLATCAR_RELEASE_APPID)" version="$version" track="$(escaped "$group")" bootid="{$boot_id}" oem="$(escaped "$oem")" oemversion="" alephversion="$(escaped "$aleph")" machineid="$(</etc/machine-id)" machinealias="$(escaped "$alias")" lang="en-US" board="$(conf FLATCAR_RELEASE_BOARD)" hardware_class="" delta_okay="false">
        $1
    </app>
</request>
XML
}

# post INSIDE: sends a request; the answer is in $run/answer. Sets code and reason when there is none.
post() {
    local said http
    [ "$server" ] || { fail 37 "no SERVER is set in update.conf"; return; }
    [ "$server" != disabled ] || { fail 37 "SERVER=disabled"; return; }
    is_url "$server" || { fail 37 "SERVER in update.conf is \"$server\", which is not an http or https URL"; return; }
    rm -f $run/answer
    # The limit of the shell is for answers that do not tell their length: curl before 8.4 would write all of them.
    said=$(
        ulimit -f $((answer_max / 1024))
        trap '' XFSZ
        request "$1" | get "$server" --max-time 20 --max-filesize $answer_max -H 'Content-Type: text/xml' \
            --data-binary @- -o $run/answer -w '%{http_code}' 2>$run/curl.log
    ) || { fail 2000 "the update server $server cannot be reached: $(curl_reason)"; return; }
    [[ $said =~ ^[0-9]{3}$ ]] || { fail 2000 "the update server $server answered without an HTTP status"; return; }
    http=$((10#$said))
    [ $http = 200 ] || fail $((2000 + http)) "the update server $server answered with HTTP status $http"
}

curl_reason() { sed -n '$s/^curl: ([0-9]*) //p' $run/curl.log; }

# flagged CODE: an error code as the engine sends it: 2^28 unless the server is Flatcar's own, 2^30 for a resumed download.
flagged() {
    local flags=0
    [[ $server == "$public_server"* ]] || flags=$((1 << 28))
    [ ! "$resumed" ] || flags=$((flags | 1 << 30))
    echo $(($1 | flags))
}
public_server=https://public.update.flatcar-linux.net/
resumed=''

# send TYPE RESULT [CODE]: reports an event; that it arrives is not worth waiting for, nor failing.
send() {
    local reason=$reason code=$code
    post "<event eventtype=\"$1\" eventresult=\"$2\"${3:+ errorcode=\"$(flagged "$3")\"}></event>" ||
        say "Reporting event $1 failed: $reason."
}

# element NAME TEXT: sets found to the first start tag of that name, and forgets value. attribute NAME TAG: sets value.
element() {
    local pattern="<$1([[:space:]][^>]*)?>"
    found='' value=''
    [[ $2 =~ $pattern ]] && found=${BASH_REMATCH[0]}
}

attribute() {
    local pattern="[[:space:]]$1[[:space:]]*=[[:space:]]*(\"([^\"]*)\"|'([^']*)')"
    value=''
    [[ $2 =~ $pattern ]] || return
    value=${BASH_REMATCH[2]}${BASH_REMATCH[3]}
    value=${value//&quot;/\"}
    value=${value//&lt;/<}
    value=${value//&gt;/>}
    value=${value//&amp;/"&"}
}

# ask: the update check. Sets offer (none, update) and offer_version, _size, _sha256, _urls.
ask() {
    local text
    resumed=''
    post "<ping active=\"1\"></ping><updatecheck></updatecheck>$boot_event" || return
    text=$(tr -d '\0' <$run/answer | tr '\n\r\t' '   ')
    [ "${text// /}" ] || { fail 30 "the update server's answer is empty"; return; }
    [[ $text == *"<response"*"</response>"* ]] || { fail 31 "the update server's answer is no Omaha response"; return; }
    element updatecheck "$text"
    attribute status "$found"
    case $value in
        noupdate) offer=none ;;
        ok) offer=update; read_offer "$text" ;;
        *) fail 34 "the update server's answer has the update check status \"$value\"" ;;
    esac
}

read_offer() {
    local rest=$1 name
    element manifest "$1" && attribute version "$found"
    [[ $value =~ ^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$ ]] || { fail 34 "the offer names no version"; return; }
    offer_version=$value
    # The first package is the OS; others are extensions, which the lab image has no use for.
    element package "$1" && attribute name "$found"
    [[ $value =~ ^[0-9A-Za-z][0-9A-Za-z._+-]{0,127}$ ]] || { fail 34 "the offer names no package"; return; }
    name=$value
    attribute size "$found"
    [[ $value =~ ^[1-9][0-9]{0,11}$ ]] || { fail 34 "the offer names no size"; return; }
    offer_size=$value
    element action "$1" && attribute sha256 "$found"
    [[ $value =~ ^[A-Za-z0-9+/]{43}=$ ]] || { fail 34 "the offer names no SHA-256"; return; }
    offer_sha256=$(base64 -d <<<"$value" 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
    [ ${#offer_sha256} = 64 ] || { fail 34 "the offer names no SHA-256"; return; }
    offer_urls=()
    while [ ${#offer_urls[@]} -lt 8 ] && element url "$rest"; do
        rest=${rest#*"$found"}
        attribute codebase "$found" || continue
        is_url "$value" || { fail 34 "the offer names the URL \"$value\", which is not an http or https URL"; return; }
        offer_urls+=("${value%/}/$name")
    done
    [ ${#offer_urls[@]} -gt 0 ] || fail 34 "the offer names no URL"
}
