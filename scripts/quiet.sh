#!/bin/sh
# Passes on what ninja says, but for its progress lines; the exit status stays ninja's because the
# last line tells: "ninja: build stopped" is the only way a build ends in failure.
awk '/^\[[0-9]+\/[0-9]+\]/ { next } /^ninja: (Entering|no work)/ { next } { print; fflush() }
	/^FAILED:|^ninja: (error|build stopped)/ { failed = 1 } END { exit failed }'
