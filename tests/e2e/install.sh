#!/bin/bash
# What `make install` puts down is enough for a program that is not part of the project: it finds the
# library with pkg-config, makes an instance and uses bpf(2) in it.
. "$(dirname "$0")/lib/common.sh"
need pkg-config gcc meson
must meson install -C "$BUILD" --no-rebuild --quiet --destdir "$WORK/root" >/dev/null
prefix=$WORK/root$(meson introspect --buildoptions "$BUILD" | python3 -c '
import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')
for file in bin/skep include/skep/skep.h share/man/man1/skep.1; do
	[ -s "$prefix/$file" ] || problem "$file is not installed"
done
"$prefix/bin/skep" version >/dev/null || problem "the installed command does not start"

cat >"$WORK/user.c" <<'C'
#include <linux/bpf.h>
#include <skep/skep.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	union bpf_attr attr;
	struct skep *skep;
	uint32_t key = 7;
	uint64_t value = 42, got = 0;
	long map;

	if (skep_new(NULL, &skep))
		return 1;
	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_HASH;
	attr.key_size = sizeof(key);
	attr.value_size = sizeof(value);
	attr.max_entries = 4;
	map = skep_bpf(skep, BPF_MAP_CREATE, &attr, sizeof(attr));
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&value;
	if (map < 0 || skep_bpf(skep, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)))
		return 2;
	attr.value = (uintptr_t)&got;
	if (skep_bpf(skep, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)))
		return 3;
	skep_free(skep);
	printf("%d\n", (int)got);
	return 0;
}
C
pc=$(dirname "$(find "$WORK/root" -name skep.pc)")
export PKG_CONFIG_PATH=$pc PKG_CONFIG_SYSROOT_DIR=$WORK/root
flags=$(pkg-config --cflags --libs skep) || problem "pkg-config: skep.pc"
sanitize=$(nm "$SKEP" 2>/dev/null | grep -q __asan_init && echo -fsanitize=address,undefined)
must gcc -o "$WORK/user" "$WORK/user.c" $sanitize $flags
equal "a value through the installed library" 42 "$("$WORK/user")"
conclude
