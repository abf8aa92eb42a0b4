#!/bin/bash
# The pages of docs/ref are what their tables say: check.sh GENERATE FOLDER [--write]
status=0
for page in isa complaints; do
	if [ "${3-}" = --write ]; then
		"$1" $page >"$2/$page.md" || status=1
	elif ! diff -u "$2/$page.md" <("$1" $page); then
		echo "docs/ref/$page.md is not what its table says: make ref"
		status=1
	fi
done
exit $status
