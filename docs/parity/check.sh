#!/bin/bash
# The pages of docs/parity are what their tables say: check.sh GENERATE FOLDER [--write]
# A helper's tests are the sources that name it: BPF_FUNC_name, CALL(…, name, …), CALLK(name, …), "bpf_name";
# what engines do themselves is tested with them.
status=0
tests=$2/../../tests
page() {
	(cd "$tests" && grep -oE 'BPF_FUNC_\w+|CALL\([^,]*, \w+|CALLK\(\w+|"bpf_\w+' unit/helpers/*.c diff/helpers*.c) |
		sed -E 's/\.c:(BPF_FUNC_|CALL\([^,]*, |CALLK\(|")/ /' | sort -u |
		awk 'BEGIN { in_["tail_call"] = "jit/tail"; in_["bpf_throw"] = "isa/engines" }
			NR == FNR { sub(/^unit\//, "", $1); if (index(" " in_[$2] ",", " " $1 ",") == 0)
				in_[$2] = in_[$2] (in_[$2] ? ", " : "") $1; next }
			match($0, /@TESTS:[a-z0-9_]+@/) {
				name = substr($0, RSTART + 7, RLENGTH - 8)
				found = in_[name] ? in_[name] : (/\| (no meaning|refused) \|/ ? "helpers/table" : "-")
				$0 = substr($0, 1, RSTART - 1) found substr($0, RSTART + RLENGTH)
			}
			{ print }' - <("$1" "$2")
}
for page in helpers kfuncs; do
	if [ "${3-}" = --write ]; then
		page "$1" $page >"$2/$page.md" || status=1
	elif ! diff -u "$2/$page.md" <(page "$1" $page); then
		echo "docs/parity/$page.md is not what its table says: make ref"
		status=1
	fi
done
exit $status
