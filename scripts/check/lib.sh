# For the checks: they run from the top of the tree and look at the files that git knows or would add.
cd "$(dirname "$0")/../.." || exit 1

files() { # PATTERN...
	git ls-files -co --exclude-standard --deduplicate -- "$@" | while read -r file; do
		[ -f "$file" ] && echo "$file"
	done
}

need() { # COMMAND
	command -v "$1" >/dev/null || { echo "$1 is not installed"; exit 77; }
}
