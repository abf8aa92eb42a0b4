#!/bin/bash
# The interpreter and the JIT of arm64 on another machine: Debian's cross compiler builds what runs
# instructions, qemu-user runs it.
#
#	scripts/arm64.sh DIR RUNNER [PROGRAMS]
#
# DIR is the folder of the build, made when it is not there; RUNNER the conformance runner of this machine;
# PROGRAMS (500) how many programs isa/engines draws. Installs nothing. Exit status 0 all passed, 1 not,
# 77 something is missing.
set -u
dir=$(realpath -m "$1") runner=$(realpath "$2") programs=${3:-500}
cd "$(dirname "$0")/.." || exit 1
sysroot=/usr/aarch64-linux-gnu
failed=0

missing=()
command -v aarch64-linux-gnu-gcc >/dev/null || missing+=(gcc-aarch64-linux-gnu)
[ -e $sysroot/include/stdio.h ] || missing+=(libc6-dev-arm64-cross)
command -v qemu-aarch64 >/dev/null || missing+=(qemu-user)
if [ ${#missing[@]} -gt 0 ]; then
	echo "skipped: arm64 needs: apt-get install ${missing[*]}"
	exit 77
fi

# Without meson's options of the environment, which are for the other build
if [ ! -e "$dir/build.ninja" ]; then
	rm -rf "$dir"
	env -u CC -u CFLAGS -u LDFLAGS meson setup --cross-file scripts/arm64.cross -Dengine_only=true "$dir" >"$dir.log" 2>&1 ||
		{ cat "$dir.log"; rm -rf "$dir"; exit 1; }
fi
ninja -C "$dir" >"$dir.log" 2>&1 || { cat "$dir.log"; exit 1; }
rm -f "$dir.log"

# The runner starts one file: the plugin under the emulator, as each kind of processor.
emulated() { # CPU PROGRAM
	printf '#!/bin/sh\nexec qemu-aarch64 -cpu %s -L %s "%s" "$@"\n' "$1" $sysroot "$2"
}

part() { # WHAT COMMAND...
	local what=$1 status=0
	shift
	echo "== $what"
	"$@" || status=$?
	[ $status = 0 ] || [ $status = 77 ] || failed=1
}

# cortex-a53 has no atomic instructions but loops of exclusive loads and stores
for cpu in max cortex-a53; do
	for program in tests/isa/skep-plugin tests/isa/isa_engines \
		tests/unit/jit/jit_jit tests/unit/jit/jit_tail tests/unit/jit/jit_callback tests/unit/jit/jit_far; do
		emulated $cpu "$dir/$program" >"$dir/$cpu-${program##*/}"
		chmod +x "$dir/$cpu-${program##*/}"
	done
	part "$cpu: our cases, JIT" "$runner" --plugin "$dir/$cpu-skep-plugin" --option --jit tests/isa/cases
	[ $cpu = max ] && part "$cpu: the public suite, JIT" "$runner" --plugin "$dir/$cpu-skep-plugin" --option --jit ../shared/conformance
	part "$cpu: drawn programs" "$dir/$cpu-isa_engines" "$programs"
	part "$cpu: calls, frames, refusals" "$dir/$cpu-jit_jit"
	part "$cpu: tail calls" "$dir/$cpu-jit_tail"
	part "$cpu: callbacks, exceptions" "$dir/$cpu-jit_callback"
	part "$cpu: far jumps" "$dir/$cpu-jit_far"
done
part "max: our cases, interpreter" "$runner" --plugin "$dir/max-skep-plugin" tests/isa/cases
exit $failed
