#!/bin/bash
# Captures in and out: classic pcap and pcapng give the same frames, a program that passes everything
# leaves bytes, order and nanosecond stamps as they were, and a run by the capture's clock repeats.
. "$(dirname "$0")/lib/common.sh"
need tcpdump cmp
counter=$EXAMPLES/xdp_counter.bpf.o

dump() { # CAPTURE: every frame with its stamp and all its bytes
	tcpdump -n --nano -tt -XX -r "$1" 2>"$WORK/tcpdump" || problem "$1: $(cat "$WORK/tcpdump")"
}

dump "$CAPTURE" >"$WORK/want"
[ "$(grep -c '^[0-9]' "$WORK/want")" -ge 10000 ] || problem "tcpdump reads too few frames"
grep -qE '^[0-9]+\.[0-9]{6}[1-9][0-9]{2} ' "$WORK/want" || problem "no nanoseconds in the stamps"
for in in "$CAPTURE" "$BUILD/examples/mixed.pcapng"; do
	for out in pcap pcapng; do
		what="${in##*.} to $out"
		must "$SKEP" run "$counter" --maps --ip \
			--on "xdp:pcap:$in,$WORK/out.$out" >"$WORK/text.${in##*.}.$out"
		dump "$WORK/out.$out" | cmp -s "$WORK/want" - || problem "$what: frames or stamps differ"
		cmp -s "$WORK/text.pcap.pcap" "$WORK/text.${in##*.}.$out" || problem "$what: other counters"
	done
done

# A counter that never waits for real time: the replayed clock gives the same bytes twice.
for turn in first second; do
	must "$SKEP" run "$counter" --clock replay --maps --ip \
		--on "xdp:pcap:$CAPTURE,$WORK/$turn.pcap" >"$WORK/$turn.text"
done
cmp "$WORK/first.pcap" "$WORK/second.pcap" || problem "two replays write different captures"
cmp "$WORK/first.text" "$WORK/second.text" || problem "two replays count differently"

# --count stops after so many frames, wherever they come from.
must "$SKEP" run "$counter" --count 17 --on "xdp:pcap:$CAPTURE,$WORK/some.pcap" >/dev/null
dump "$WORK/some.pcap" | grep -c '^[0-9]' >"$WORK/count"
equal "frames after --count 17" 17 "$(cat "$WORK/count")"
conclude
