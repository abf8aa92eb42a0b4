#!/bin/bash
# `make demo` end to end: its counters against tcpdump's filters, frame for frame; interpreter and JIT
# alike (the demo compares them); a capture that is what the generator writes.
. "$(dirname "$0")/lib/common.sh"
. "$TOP/tests/e2e/lib/expected.sh"
need tcpdump python3
blocked=10.1.0.9

must python3 "$TOP/examples/capture/generate.py" "$WORK/again.pcap"
cmp -s "$WORK/again.pcap" "$CAPTURE" || problem "generate.py does not write examples/capture/mixed.pcap"
frames=$(all_frames "$CAPTURE")
[ "$frames" -ge 10000 ] || problem "the capture has only $frames packets"

start=$EPOCHREALTIME
DEMO_KEEP=$WORK/passed.pcap "$TOP/scripts/demo.sh" "$BUILD" >"$WORK/demo.text" 2>&1 ||
	problem "demo.sh fails"
cat "$WORK/demo.text"
seconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
echo "demo: $seconds s"
awk -v s="$seconds" 'BEGIN { exit !(s < 10) }' || problem "the demo took $seconds s, 10 at most"
[ "$(id -u)" != 0 ] || grep -q 'as user nobody' "$WORK/demo.text" || problem "not run as nobody"

# dropped = blocked + malformed
dropped=$(($(claims_ipv4 "$CAPTURE") - $(well_formed "$CAPTURE" ip) +
	$(well_formed "$CAPTURE" "src host $blocked")))
python3 "$TOP/tests/e2e/lib/demo_counts.py" "$WORK/demo.text" >"$WORK/counts" ||
	problem "the demo's output cannot be read"
{ sources "$CAPTURE"; echo "dropped $dropped"; echo "passed $((frames - dropped))"; } | sort >"$WORK/want"
sort "$WORK/counts" | diff "$WORK/want" - || problem "the counters are not what tcpdump counts (< tcpdump)"

# What passed is in the output, unchanged and in order: nothing of the blocked source, all else.
equal "frames in the output" $((frames - dropped)) "$(all_frames "$WORK/passed.pcap")"
equal "frames of $blocked in the output" 0 "$(well_formed "$WORK/passed.pcap" "src host $blocked")"
sources "$CAPTURE" | sed "s/^$blocked .*/$blocked 0/" >"$WORK/want"
sources "$WORK/passed.pcap" | diff "$WORK/want" - || problem "sources in the output"
conclude
