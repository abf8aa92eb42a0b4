#!/bin/bash
# What a user gets wrong, and the clear error that it gives: the words, the exit status, and that
# nothing else was said or done.
. "$(dirname "$0")/lib/common.sh"
need tcpdump clang
firewall=$EXAMPLES/xdp_firewall.bpf.o

# One line on stderr that matches, nothing on stdout, that exit status.
wrong() { # WHAT STATUS REGEX COMMAND...
	local what=$1 status=$2 regex=$3 got=0
	shift 3
	timeout 20 "$@" >"$WORK/stdout" 2>"$WORK/stderr" || got=$?
	equal "$what: exit status" "$status" "$got"
	grep -qE "$regex" "$WORK/stderr" ||
		problem "$what: stderr does not match /$regex/: $(cat "$WORK/stderr")"
	grep -qE "Sanitizer|runtime error" "$WORK/stderr" && problem "$what: $(cat "$WORK/stderr")"
	[ ! -s "$WORK/stdout" ] || problem "$what: wrote to stdout: $(head -3 "$WORK/stdout")"
}

run() { # OBJECT: over the capture
	echo "$SKEP run $1 --on xdp:pcap:$CAPTURE"
}

# Objects
echo 'this is not an object' >"$WORK/text.o"
echo 'int unused;' | clang -target bpf -g -c -x c - -o "$WORK/empty.o"
head -c 3000 "$firewall" >"$WORK/cut.o"
for object in text:'is not an ELF file' empty:'has no programs' cut:'is cut short'; do
	file=${object%%:*}.o
	wrong "run $file" 255 "$file.*(${object#*:})" $(run "$WORK/$file")
	wrong "verify $file" 2 "$file.*(${object#*:})" "$SKEP" verify "$WORK/$file"
done
wrong "run of a file that is not there" 255 "nosuch.o: No such file" $(run "$WORK/nosuch.o")
wrong "a program that the object lacks" 255 "no program named nosuch" $(run "$firewall") --prog nosuch

# Devices
wrong "an unknown kind of device" 255 "unknown kind of device .*floppy.*pcap:IN" "$SKEP" run "$firewall" --on xdp:floppy:a
wrong "an unknown interface" 255 "packet:nosuch0: no such interface" "$SKEP" run "$firewall" --on xdp:packet:nosuch0
wrong "an unknown hook" 255 "xpd is no hook" "$SKEP" run "$firewall" --on "xpd:pcap:$CAPTURE"
wrong "a capture that is not there" 255 "nosuch.pcap: No such file" "$SKEP" run "$firewall" --on xdp:pcap:nosuch.pcap
wrong "a capture that is none" 255 "text.o: unknown file format" "$SKEP" run "$firewall" --on "xdp:pcap:$WORK/text.o"
if [ "$(id -u)" = 0 ]; then
	cp "$SKEP" "$firewall" "$WORK"
	chmod 755 "$WORK"
	says="Permission denied; run as root, or"
	[ -e /dev/net/tun ] || says="No such file or directory; load the tun module"
	wrong "a TAP without permission" 255 "/dev/net/tun: $says" \
		setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all -- \
		env XDG_RUNTIME_DIR=/nonexistent "$WORK/skep" run "$WORK/xdp_firewall.bpf.o" --on xdp:tap:denied0
fi

# A capture cut in the middle of a packet: what was whole is processed, the cut is reported.
whole=$(tcpdump -n -r "$CAPTURE" -c 1000 -w "$WORK/whole.pcap" 2>/dev/null; stat -c %s "$WORK/whole.pcap")
head -c $((whole - 7)) "$WORK/whole.pcap" >"$WORK/cut.pcap"
status=0
"$SKEP" run "$firewall" --on "xdp:pcap:$WORK/cut.pcap,$WORK/cut-out.pcap" >"$WORK/stdout" 2>"$WORK/stderr" || status=$?
equal "a cut capture: exit status" 0 "$status"
grep -qE 'after 999 whole frames.*truncated' "$WORK/stderr" || problem "a cut capture: not reported: $(cat "$WORK/stderr")"
grep -qw 999 "$WORK/stdout" || problem "a cut capture: 999 whole frames: $(cat "$WORK/stdout")"

# Instances, pins, keys
"$SKEP" up twin >/dev/null || problem "skep up twin"
at_exit "$SKEP down twin"
wrong "two instances of one name" 255 "named twin runs already: choose another name" "$SKEP" up twin
wrong "an instance that does not run" 255 "no instance named nosuch is running: start one" "$SKEP" -i nosuch prog list
"$SKEP" -i twin prog load "$firewall" /pins/firewall pinmaps /pins || problem "prog load"
wrong "a pin path that exists" 255 "/pins/firewall: File exists" "$SKEP" -i twin prog load "$firewall" /pins/firewall
update="$SKEP -i twin map update pinned /pins/blocklist"
wrong "a key that is too short" 255 "3 bytes given, but __u32 has 4" $update key 10 1 0 value 1
wrong "a key that is too long" 255 "5 bytes given, but __u32 has 4" $update key 10 1 0 9 7 value 1
wrong "a value that is too long" 255 "2 bytes given, but __u8 has 1" $update key 10 1 0 9 value 1 0
wrong "a byte over 255" 255 "300" $update key 10 1 0 300 value 1
wrong "an address that is none" 255 "10.1.0.300" $update key 10.1.0.300 value 1
wrong "a value over its byte" 255 "256" $update key 10.1.0.9 value 256
wrong "a key that is not there" 254 "No such file" "$SKEP" -i twin map delete pinned /pins/blocklist key 10.1.0.9
equal "entries after all the wrong updates" "[]" "$("$SKEP" -j -i twin map dump pinned /pins/blocklist)"
wrong "an unknown verb" 255 "frobnicate" "$SKEP" frobnicate
wrong "an unknown command" 255 "frobnicate" "$SKEP" prog frobnicate

# ^C in the middle: the counters are printed, the output is complete.
mkfifo "$WORK/slow.pcap"
{ cat "$WORK/whole.pcap"; exec sleep 10; } >"$WORK/slow.pcap" 2>/dev/null &
writer=$!
at_exit "kill $writer"
"$SKEP" run "$firewall" --on "xdp:pcap:$WORK/slow.pcap,$WORK/slow-out.pcap" >"$WORK/stdout" 2>"$WORK/stderr" &
runner=$!
sleep 1.5
kill -INT $runner
timeout 5 tail --pid=$runner -f /dev/null || { problem "^C does not end skep run"; kill -KILL $runner; }
wait $runner
passed=$(sed -n 's/.*XDP_PASS \([0-9]*\).*/\1/p' "$WORK/stdout")
[ -n "$passed" ] || problem "^C: no counters: $(cat "$WORK/stdout" "$WORK/stderr")"
frames=$(tcpdump -n -r "$WORK/slow-out.pcap" 2>"$WORK/tcpdump" | wc -l)
grep -q truncated "$WORK/tcpdump" && problem "^C: the output is cut"
equal "^C: frames in the output" "$passed" "$frames"
[ "$frames" -gt 800 ] || problem "^C: only $frames frames of 1000 in the output"
conclude
