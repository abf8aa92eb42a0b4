#!/bin/sh
# Every complaint of the verifier is provoked by a case, or stands in a list with the reason why not: a
# new row of complaints.def needs a case, and a case that provokes another complaint than before is seen.
# Rows UNSUPPORTED_* are what skep lacks, and need none.
#
# usage: provoked.sh COMPLAINTS.DEF NOT_PROVOKED.TXT VERIFY_RUN CASES...
# Exit: 0 all as listed, 1 not, 77 this machine lacks types that cases name.
set -eu

rows=$1 excused=$2 run=$3
shift 3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$run" --engine skep --provoked "$dir/provoked" "$@" > "$dir/out" || {
	cat "$dir/out"
	exit 1
}
if grep -q 'no such type in the kernel' "$dir/out"; then
	echo "skip: the BTF of this kernel lacks types that cases name"
	exit 77
fi
awk '
	FILENAME == ARGV[1] { provoked[$1] = 1; next }
	/^#|^$/ { next }
	FILENAME == ARGV[2] {
		excused[$1] = 1
		if (NF < 2) { print $1 ": listed without a reason"; bad = 1 }
		next
	}
	match($0, /^COMPLAINT\([A-Z0-9_]+,/) {
		id = substr($0, 11, RLENGTH - 11)
		known[id] = 1
		if (id ~ /^UNSUPPORTED_/ || provoked[id])
			next
		missing++
		if (excused[id])
			next
		print id ": no case provokes it; write one (tests/verify/README.md)"
		bad = 1
	}
	END {
		for (id in excused) {
			if (!known[id]) { print id ": is listed, and is no complaint"; bad = 1 }
			if (provoked[id]) { print id ": is provoked; take it off the list"; bad = 1 }
		}
		print missing + 0 " complaints that no case provokes"
		exit bad
	}
' "$dir/provoked" "$excused" "$rows"
