#!/bin/bash
# An instance that keeps pinned maps in a folder: killed and started again, it has them; unpinned, they are gone.
. "$(dirname "$0")/lib/common.sh"
state=$WORK/kept

value() { # KEY: the value's bytes, or nothing
	"$SKEP" map lookup pinned /kept key hex "$1" 00 00 00 2>/dev/null | grep -o 'value:.*'
}
matches() { # WHAT GOT REGEX
	grep -qE "$3" <<<"$2" || problem "$1: '$2' does not match /$3/"
}
killed() { # the instance is killed, and starts again with what it left
	kill -9 "$("$SKEP" -j status | grep -o '"pid": *[0-9]*' | grep -o '[0-9]*')"
	"$SKEP" up --state "$state" || problem "it does not start again"
}

at_exit "$SKEP down"
"$SKEP" up --state "$state"
"$SKEP" map create /kept type hash key 4 value 8 entries 64 name kept
"$SKEP" map create /gone type hash key 4 value 8 entries 64 name gone
for i in 01 02 03; do
	"$SKEP" map update pinned /kept key hex $i 00 00 00 value hex $i 00 00 00 00 00 00 07
done
"$SKEP" map delete pinned /kept key hex 02 00 00 00
rm "$XDG_RUNTIME_DIR"/skep/*/pins/gone # unpins it
killed
matches "a value that was there" "$(value 01)" 'value: 01 00 00 00 00 00 00 07'
equal "a key that was deleted" "" "$(value 02)"
matches "another value" "$(value 03)" 'value: 03 00 00 00 00 00 00 07'
matches "its name" "$("$SKEP" map show pinned /kept)" 'hash +name kept'
"$SKEP" map show pinned /gone 2>/dev/null && problem "an unpinned map came back"
"$SKEP" up second --state "$state" 2>"$WORK/busy" && problem "two instances use one folder"
matches "why not" "$(cat "$WORK/busy")" 'used by another instance'
"$SKEP" down # an end in order keeps them too
"$SKEP" up --state "$state"
matches "after down and up" "$(value 01)" 'value: 01 00 00 00 00 00 00 07'
"$SKEP" down
conclude
