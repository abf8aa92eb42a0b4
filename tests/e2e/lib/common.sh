# For the end-to-end tests: BUILD is the build folder, TOP the source. A test works in its own folder,
# which also holds its instances, and leaves nothing behind.
set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
BUILD=$(realpath "$1")
SKEP=$BUILD/tools/skep/skep
EXAMPLES=$BUILD/examples
CAPTURE=$TOP/examples/capture/mixed.pcap
WORK=$(mktemp -d "${TMPDIR:-/tmp}/skep-test-XXXXXX") || exit 1
export XDG_RUNTIME_DIR=$WORK/run LC_ALL=C
mkdir -m 700 "$XDG_RUNTIME_DIR"
problems=0
cleanups=()

at_exit() { # COMMAND: run last one first
	cleanups=("$1" "${cleanups[@]}")
}

finish() {
	for command in ${cleanups[@]+"${cleanups[@]}"}; do
		eval "$command" >/dev/null 2>&1
	done
	rm -rf "$WORK"
}
trap finish EXIT

skip() { # REASON
	echo "skipped: $1"
	exit 77
}

problem() { # TEXT
	echo "PROBLEM: $1"
	problems=$((problems + 1))
}

must() { # COMMAND...
	"$@" || { echo "FAILED: $*"; exit 1; }
}

equal() { # WHAT EXPECTED GOT
	[ "$2" = "$3" ] || problem "$1: expected $2, got $3"
}

conclude() {
	[ $problems = 0 ] || { echo "$problems problems"; exit 1; }
	exit 0
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "not root"
}

need() { # COMMAND...
	for command in "$@"; do
		command -v "$command" >/dev/null || skip "$command is not installed"
	done
}

need_netns() {
	need_root
	need ip nsenter ping
	unshare -n true 2>/dev/null || skip "no network namespaces here"
}

need_kernel_bpf() {
	need_root
	"$SKEP" -K prog list >/dev/null 2>&1 || skip "no bpf(2) here"
}
