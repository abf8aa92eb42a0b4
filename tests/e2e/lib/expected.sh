# What a capture must give, counted by tcpdump's filters alone: nothing of skep takes part.
# A filter that reads past the end of a frame does not match, which is how a cut-off header fails.
#
#	well_formed PCAP CONDITION   frames with a consistent IPv4 header that meet CONDITION
#	claims_ipv4 PCAP             frames whose type says IPv4, well-formed or not
#	sources PCAP                 "ADDRESS COUNT" of every source of well-formed frames, sorted

matches() { # PCAP FILTER
	tcpdump -n -r "$1" -w - "$2" 2>/dev/null | tcpdump -n -r - 2>/dev/null | wc -l
}

# `len` and `ip[…]`: the offset of the IPv4 header moves by 4 with each VLAN tag before it.
consistent_at() { # OFFSET
	echo "ip[0] >> 4 = 4 and ip[0] & 15 >= 5 and ip[2:2] >= (ip[0] & 15) * 4" \
		"and ip[2:2] <= len - $1 and len >= $1 + 20"
}

well_formed() { # PCAP CONDITION
	local plain one two
	plain=$(matches "$1" "ip and $(consistent_at 14) and ($2)")
	one=$(matches "$1" "vlan and ip and $(consistent_at 18) and ($2)")
	two=$(matches "$1" "vlan and vlan and ip and $(consistent_at 22) and ($2)")
	echo $((plain + one + two))
}

claims_ipv4() { # PCAP
	echo $(($(matches "$1" ip) + $(matches "$1" 'vlan and ip') +
		$(matches "$1" 'vlan and vlan and ip')))
}

all_frames() { # PCAP
	matches "$1" ''
}

sources() { # PCAP
	local address
	for address in 10.1.0.{1..9} 192.168.7.7 192.168.200.1 172.16.5.4 203.0.113.77; do
		echo "$address $(well_formed "$1" "src host $address")"
	done | sort
}
