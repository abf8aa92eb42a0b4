#!/bin/bash
# oracle_run once more, against another libbpf: newer.sh BUILD ROOT OUT. ROOT has include/bpf and lib64/libbpf.a (or
# lib/), as libbpf's own `make install` lays it out. For objects that the system's libbpf cannot open.
set -e
build=$(realpath "$1") root=$2 out=$(realpath -m "$3")
top=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
lib=$root/lib64/libbpf.a
[ -f "$lib" ] || lib=$root/lib/libbpf.a
cd "$build"
link=$(ninja -t commands tests/oracle/oracle_run | tail -n 1 | sed "s#.*oracle_run.p/table.c.o##; s#[^ ]*/libbpf\.a#$lib#g")
for part in run ask table; do
	cc -O2 -g -D_GNU_SOURCE -std=gnu11 "-I$root/include" "-I$top/src" "-I$top/include" \
		-c "$top/tests/oracle/$part.c" -o "$out.$part.o"
done
# shellcheck disable=SC2086
cc -o "$out" "$out.run.o" "$out.ask.o" "$out.table.o" $link
rm -f "$out".*.o
