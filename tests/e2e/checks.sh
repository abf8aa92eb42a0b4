#!/bin/bash
# The checks of `make check` find what they are for: a small tree that passes, then one defect each.
. "$(dirname "$0")/lib/common.sh"
need git python3 clang-format
tree=$WORK/tree
mkdir -p "$tree/src/base" "$tree/src/isa" "$tree/docs/design" "$tree/tests/e2e" "$tree/scripts"
cp -r "$TOP/scripts/check" "$tree/scripts"
cp "$TOP/docs/design/README.md" "$tree/docs/design"
cp "$TOP/.clang-format" "$tree"
mkdir -p "$tree/scripts/check"
sed -i 's/](.*)//' "$tree/docs/design/README.md"
printf 'int good(void);\n' >"$tree/src/base/good.h"
printf '#include "base/good.h"\n\nint good(void)\n{\n\treturn 1;\n}\n' >"$tree/src/isa/good.c"
git -C "$tree" init -q || skip "git init does not work here"

check() { # NAME: its exit status
	"$tree/scripts/check/$1" >"$WORK/text" 2>&1
	echo $?
}

for name in format layers headers length scripts docs; do
	equal "$name on a good tree ($(cat "$WORK/text" 2>/dev/null))" 0 "$(check $name)"
done

defect() { # CHECK FILE TEXT REGEX: the file with that text makes the check fail and say so
	mkdir -p "$(dirname "$tree/$2")"
	printf "$3" >"$tree/$2"
	[ "$(check "$1")" != 0 ] || problem "$1 passes with $2"
	grep -qE "$4" "$WORK/text" || problem "$1 does not say /$4/: $(cat "$WORK/text")"
	rm "$tree/$2"
}

defect format src/base/bad.c 'int f( void ) {return 1;}\n' 'src/base/bad.c'
defect layers src/base/bad.c '#include "isa/isa.h"\n' 'base may not include "isa/isa.h"'
defect layers src/base/bad.c '#include "good.h"\n' 'has no layer'
defect layers src/unknown/bad.c '\n' 'layer unknown is not'
defect headers src/base/bad.h 'struct a { struct b inside; };\n' 'src/base/bad.h does not compile alone'
defect length src/base/bad.c "$(printf '\\n%.0s' {1..1001})" '1001 lines'
defect length src/base/bad.c "int f(void)\n{\n$(printf '\\tg();\\n%.0s' {1..101})}\n" 'a function of 101 lines'
defect scripts scripts/bad.sh 'if true; then\n' 'bad.sh'
defect docs docs/bad.md '```sh\nrm -rf build\n```\n' 'docs/bad.md has commands'
defect docs docs/bad.md '[x](nowhere.md)\n' 'link to nowhere.md'
conclude
