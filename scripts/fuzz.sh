#!/bin/bash
# Builds the fuzz targets and runs each over its committed corpus for a while; new inputs are kept in the build folder, a
# crash is left there and named.
#	scripts/fuzz.sh BUILD SECONDS
set -u
targets=$(ninja -C "$1" -t targets all | sed -n 's|^\(tests/fuzz/fuzz_[a-z_]*\):.*|\1|p')
# shellcheck disable=SC2086
ninja -C "$1" $targets | "$(dirname "$0")/quiet.sh" || exit 1
build=$(realpath "$1")/tests/fuzz
seconds=$2
top=$(dirname "$(dirname "$(realpath "$0")")")
status=0 ran=0
for target in "$build"/fuzz_*; do
	[ -f "$target" ] && [ -x "$target" ] || continue
	name=$(basename "$target")
	found=$build/found/$name
	mkdir -p "$found"
	corpus=("$found")
	[ -d "$top/tests/fuzz/corpus/${name#fuzz_}" ] && corpus+=("$top/tests/fuzz/corpus/${name#fuzz_}")
	echo "fuzz: $name for $seconds s"
	"$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$found/" "${corpus[@]}" >"$build/$name.log" 2>&1 ||
		{ echo "fuzz: $name found something: $build/$name.log"; tail -30 "$build/$name.log"; status=1; }
	grep -E 'stat::number_of_executed_units|stat::average_exec' "$build/$name.log"
	ran=$((ran + 1))
done
[ $ran -gt 0 ] || { echo "fuzz: no target in $build: are they built?"; exit 1; }
exit $status
