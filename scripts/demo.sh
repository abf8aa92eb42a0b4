#!/bin/bash
# The firewall over the shipped capture: once interpreted, once JIT-compiled, the same result byte by
# byte; as user nobody when typed by root, because nothing here needs a privilege.
#	scripts/demo.sh BUILD
set -eu
build=$(realpath "$1")
top=$(dirname "$(dirname "$(realpath "$0")")")
blocked=10.1.0.9

# A folder that nobody may enter, whatever the checkout's permissions are.
stage=$(mktemp -d "${TMPDIR:-/tmp}/skep-demo-XXXXXX")
trap 'rm -rf "$stage"' EXIT
cp "$build/tools/skep/skep" "$build/examples/xdp_firewall.bpf.o" "$top/examples/capture/mixed.pcap" "$stage"
mkdir "$stage/run"
chmod -R a+rX "$stage"
chmod 777 "$stage/run"

unprivileged() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all -- \
			env XDG_RUNTIME_DIR="$stage/run" HOME=/ "$@"
	else
		env XDG_RUNTIME_DIR="$stage/run" "$@"
	fi
}

filter() { # NAME OPTION...
	local name=$1
	shift
	unprivileged "$stage/skep" run "$stage/xdp_firewall.bpf.o" "$@" \
		--on "xdp:pcap:$stage/mixed.pcap,$stage/run/$name.pcap" \
		--update "blocklist key $blocked value 1" --maps --ip >"$stage/$name.text"
}

filter interpreted --interp
filter compiled
if ! cmp -s "$stage/interpreted.text" "$stage/compiled.text" ||
	! cmp -s "$stage/run/interpreted.pcap" "$stage/run/compiled.pcap"; then
	echo "demo: the interpreter and the JIT disagree (< interpreted, > compiled):" >&2
	diff "$stage/interpreted.text" "$stage/compiled.text" >&2 || cmp "$stage/run/"*.pcap >&2
	exit 1
fi
[ -z "${DEMO_KEEP-}" ] || cp "$stage/run/compiled.pcap" "$DEMO_KEEP"

user=$(unprivileged id -un)
echo "xdp_firewall over examples/capture/mixed.pcap, $blocked blocked, as user $user."
echo "Interpreted and JIT-compiled: the same counters, the same output byte for byte."
echo
cat "$stage/compiled.text"
