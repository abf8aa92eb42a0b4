#!/bin/bash
# skep-plugin --elf: main in .text of an object from clang is found and run; what is no such object is
# refused with the reason.
plugin=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

for tool in clang od; do
	command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done

run() { # FILE [MEM]: the plugin's output and status
	od -An -v -tx1 "$1" | "$plugin" ${2:+"$2"} --elf 2>&1
	echo "status $?"
}

expect() { # WHAT EXPECTED ACTUAL
	[ "$3" = "$2" ] && return
	printf 'FAIL %s\n expected: %s\n got: %s\n' "$1" "$2" "$3"
	failed=1
}

cat >"$dir/sum.c" <<'END'
int before(int x) { return x; }
static __attribute__((noinline)) int twice(int x) { return x + x; }
int main(unsigned char *mem, unsigned long len)
{
	int sum = 0;

	for (unsigned long i = 0; i < len; i++)
		sum += twice(mem[i]);
	return sum;
}
END
clang -target bpf -ffreestanding -O2 -c "$dir/sum.c" -o "$dir/sum.o" || exit 1
expect 'main after another function' "$(printf '2a\nstatus 0')" "$(run "$dir/sum.o" '01 04 10')"

echo 'extern int far(int); int main(int x) { return far(x); }' >"$dir/far.c"
clang -target bpf -ffreestanding -O2 -c "$dir/far.c" -o "$dir/far.o" || exit 1
expect 'an undefined function' "$(printf 'the ELF object has relocations in .text; link it first\nstatus 1')" \
	"$(run "$dir/far.o")"

echo 'int other(int x) { return x; }' >"$dir/other.c"
clang -target bpf -ffreestanding -O2 -c "$dir/other.c" -o "$dir/other.o" || exit 1
expect 'no main' "$(printf 'the ELF object has no function main in .text\nstatus 1')" "$(run "$dir/other.o")"

echo 'not ELF' >"$dir/text"
expect 'not ELF' "$(printf 'not a little-endian ELF64 object for BPF\nstatus 1')" "$(run "$dir/text")"

# cut anywhere: refused, never a crash
size=$(stat -c %s "$dir/sum.o")
for ((len = 0; len < size; len += 13)); do
	head -c "$len" "$dir/sum.o" >"$dir/cut"
	case $(run "$dir/cut" '01') in
	*'status 1' | *'status 0') ;;
	*) expect "cut at $len" 'status 1' "$(run "$dir/cut" '01')" ;;
	esac
done
exit $failed
