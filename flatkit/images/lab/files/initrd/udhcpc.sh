#!/bb/sh
# Sets what DHCP said; only used while Ignition fetches over the network.
# The server's words are no patterns.
set -f
case "$1" in
    bound | renew)
        ip addr flush dev "$interface"
        ip addr add "$ip/${mask:-24}" dev "$interface"
        for gateway in $router; do ip route add default via "$gateway" dev "$interface"; break; done
        for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
        ;;
esac
