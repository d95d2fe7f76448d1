# shellcheck shell=bash disable=SC2034,SC2154
# Omaha 3.0 as update_engine speaks it: requests are written, answers are read with bash alone.

# An "&" that is not quoted would stand for what was found (bash 5.2).
escaped() {
    local text=${1//&/"&amp;"}
    text=${text//</"&lt;"}
    text=${text//>/"&gt;"}
    text=${text//\"/"&quot;"}
    echo "$text"
}

# request INSIDE SOURCE: the whole request; INSIDE is what the app says or asks.
request() {
    local alias group oem='' aleph=$version word
    alias=$(conf MACHINE_ALIAS)
    group=$(conf GROUP)
    [ ! -e $state/prefs/aleph-version ] || aleph=$(<$state/prefs/aleph-version)
    for word in $(</proc/cmdline); do
        case $word in flatcar.oem.id=*) oem=${word#*=} ;; esac
    done
    cat <<XML
<?xml version="1.0" encoding="UTF-8"?>
<request protocol="3.0" version="flatcar-lab-$version" updaterversion="flatcar-lab-$version" installsource="$2" ismachine="1">
    <os version="Chateau" platform="CoreOS" sp="${version}_$(uname -m)"></os>
    <app appid="$(conf FLATCAR_RELEASE_APPID)" version="$version" track="$(escaped "$group")" bootid="{$boot_id}" oem="$oem" oemversion="" alephversion="$aleph" machineid="$(</etc/machine-id)" machinealias="$(escaped "$alias")" lang="en-US" board="$(conf FLATCAR_RELEASE_BOARD)" hardware_class="" delta_okay="false">
        $1
    </app>
</request>
XML
}

# post INSIDE SOURCE: sends a request; the answer is in $run/answer. Sets code and reason when there is none.
post() {
    local said http
    [ "$server" ] || { fail 37 "no SERVER is set in update.conf"; return; }
    [ "$server" != disabled ] || { fail 37 "SERVER=disabled"; return; }
    said=$(request "$1" "$2" | curl -sS --connect-timeout 5 --max-time 20 -H 'Content-Type: text/xml' --data-binary @- \
        -o $run/answer -w '%{http_code}' "$server" 2>$run/curl.log) ||
        { fail 9 "the update server $server cannot be reached: $(curl_reason)"; return; }
    http=$((10#$said))
    # 0: a file:// URL, which flatcar-update uses
    [ $http = 0 ] || [ $http = 200 ] || fail $((2000 + http)) "the update server $server answered with HTTP status $http"
}

curl_reason() { sed -n '$s/^curl: ([0-9]*) //p' $run/curl.log; }

# send TYPE RESULT [CODE]: reports an event; that it arrives is not worth waiting for, nor failing.
send() {
    local reason=$reason code=$code
    post "<event eventtype=\"$1\" eventresult=\"$2\"${3:+ errorcode=\"$3\"}></event>" scheduler ||
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

# ask SOURCE: the update check. Sets offer (none, update) and offer_version, _size, _sha256, _urls.
ask() {
    local text
    post "<ping active=\"1\"></ping><updatecheck></updatecheck>$boot_event" "$1" || return
    boot_event=''
    text=$(tr '\n\r\t' '   ' <$run/answer)
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
    element manifest "$1" && attribute version "$found" && offer_version=$value
    [[ $value =~ ^[0-9A-Za-z][0-9A-Za-z.+_-]*$ ]] || { fail 34 "the offer names no version"; return; }
    # The first package is the OS; others are extensions, which the lab image has no use for.
    element package "$1" && attribute name "$found" && name=$value
    [[ $value =~ ^[0-9A-Za-z][0-9A-Za-z._+-]*$ ]] || { fail 34 "the offer names no package"; return; }
    attribute size "$found" && offer_size=$value
    [[ $value =~ ^[1-9][0-9]{0,12}$ ]] || { fail 34 "the offer names no size"; return; }
    element action "$1" && attribute sha256 "$found"
    offer_sha256=$(base64 -d <<<"$value" 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
    [ ${#offer_sha256} = 64 ] || { fail 34 "the offer names no SHA-256"; return; }
    offer_urls=()
    while element url "$rest"; do
        rest=${rest#*"$found"}
        attribute codebase "$found" && offer_urls+=("${value%/}/$name")
    done
    [ ${#offer_urls[@]} -gt 0 ] || fail 34 "the offer names no URL"
}
