#!/bin/bash
# Real ping between two network namespaces, through the firewall in the middle; then a second process
# puts the source on the blocklist, and the ping stops.
#	netns.sh BUILD tap|packet|kernel
#
#	namespace A              namespace M                    namespace B
#	10.1.0.9, 10.1.0.10 ───  near ─ firewall ─ join ─ far ──  10.1.0.2
#
# tap:    near and far are TAPs of a skep instance; their other ends lie in A and B
# packet: near and far are veth ends in M that a skep instance holds through AF_PACKET
# kernel: near and far are veth ends in M on a bridge, and the kernel runs the firewall (-K)
# The same commands and the same counters in all three.
. "$(dirname "$0")/lib/common.sh"
mode=$2
need_netns
need python3
id=$$
A=skepA$id B=skepB$id M=skepM$id

inside() { # NAMESPACE COMMAND...
	local ns=$1
	shift
	nsenter --net="/run/netns/$ns" "$@"
}

# In which engine the verbs work, and where they pin.
case $mode in
kernel)
	need_kernel_bpf
	engine=-K pins=$WORK/bpf
	must mkdir "$pins"
	must mount -t bpf bpf "$pins"
	at_exit "umount $pins" ;;
tap | packet) engine="-i lab" pins=/firewall ;;
*) echo "netns.sh BUILD tap|packet|kernel"; exit 2 ;;
esac
[ "$mode" = tap ] && { [ -w /dev/net/tun ] || skip "no /dev/net/tun that may be opened"; }

skep() {
	# shellcheck disable=SC2086
	inside "$M" "$SKEP" $engine "$@"
}

for ns in "$A" "$B" "$M"; do
	must ip netns add "$ns"
	at_exit "ip netns del $ns"
	# Neighbour discovery would add frames of its own.
	inside "$ns" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6;
		echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null
done

near=near$id far=far$id
add_veth() { # OUTER NAMESPACE
	must ip link add "$1" netns "$M" type veth peer name eth0 netns "$2"
	must inside "$M" ip link set "$1" up
	# A veth leaves checksums to hardware that is not there, and may glue segments together.
	for where in "$M $1" "$2 eth0"; do
		set -- $where
		inside "$1" ethtool -K "$2" tx off rx off gro off gso off tso off >/dev/null 2>&1
	done
}

add_tap() { # OUTER NAMESPACE
	must skep net dev add "tap:$1"
	must inside "$M" ip link set "$1" netns "$2" name eth0
}

case $mode in
tap)
	must inside "$M" "$SKEP" up lab
	at_exit "$SKEP down lab"
	add_tap "$near" "$A"
	add_tap "$far" "$B"
	must skep net dev join "$near" "$far" ;;
packet)
	need ethtool
	add_veth "$near" "$A"
	add_veth "$far" "$B"
	must inside "$M" "$SKEP" up lab
	at_exit "$SKEP down lab"
	must skep net dev add "packet:$near"
	must skep net dev add "packet:$far"
	must skep net dev join "$near" "$far" ;;
kernel)
	need ethtool
	add_veth "$near" "$A"
	add_veth "$far" "$B"
	must inside "$M" ip link add br0 type bridge
	must inside "$M" ip link set "$near" master br0
	must inside "$M" ip link set "$far" master br0
	must inside "$M" ip link set br0 up ;;
esac
must inside "$A" ip address add 10.1.0.9/24 dev eth0
must inside "$A" ip address add 10.1.0.10/24 dev eth0
must inside "$B" ip address add 10.1.0.2/24 dev eth0
must inside "$A" ip link set eth0 up
must inside "$B" ip link set eth0 up

must skep prog load "$EXAMPLES/xdp_firewall.bpf.o" "$pins/prog" pinmaps "$pins"
must skep net attach xdp pinned "$pins/prog" dev "$near"

answers() { # SOURCE COUNT
	inside "$A" ping -n -q -i 0.2 -W 1 -c "$2" -I "$1" 10.1.0.2 |
		sed -n 's/.* \([0-9]*\) received.*/\1/p'
}

counted() { # SOURCE: over all CPUs
	skep -j map lookup pinned "$pins/pkt_stats" key "$1" | python3 -c '
import json, sys
print(sum(row["value"] for row in json.load(sys.stdin)["formatted"]["values"]))'
}

# ARP first, on an address that is not counted below, so that no ping waits for it.
inside "$A" ping -n -q -c 1 -W 2 -I 10.1.0.10 10.1.0.2 >/dev/null
equal "answers to 10.1.0.9 while it may pass" 5 "$(answers 10.1.0.9 5)"
equal "frames counted of 10.1.0.9" 5 "$(counted 10.1.0.9)"

must skep map update pinned "$pins/blocklist" key 10.1.0.9 value 1
equal "answers to 10.1.0.9 while it is blocked" 0 "$(answers 10.1.0.9 3)"
equal "frames counted of 10.1.0.9, dropped ones included" 8 "$(counted 10.1.0.9)"
equal "answers to 10.1.0.10, which is not blocked" 3 "$(answers 10.1.0.10 3)"

must skep map delete pinned "$pins/blocklist" key 10.1.0.9
equal "answers to 10.1.0.9 once it is off the list" 2 "$(answers 10.1.0.9 2)"
equal "frames counted of 10.1.0.9 in all" 10 "$(counted 10.1.0.9)"

must skep net detach xdp dev "$near"
equal "answers without the program" 2 "$(answers 10.1.0.9 2)"
equal "frames counted without the program" 10 "$(counted 10.1.0.9)"
conclude
