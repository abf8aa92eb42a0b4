#!/bin/sh
# Passes on what ninja says, but for its progress lines, which a terminal gets as one line that is
# written over. The exit status is ninja's: it says on its last line when a build failed.
tty=0
[ -t 2 ] && tty=1
awk -v tty=$tty '
	/^\[[0-9]+\/[0-9]+\]/ { if (tty) printf "\rbuilding %s ", $1 >"/dev/stderr"; shown = 1; next }
	/^ninja: (Entering|no work)/ { next }
	/^FAILED:|^ninja: (error|build stopped)/ { failed = 1 }
	{ print; fflush() }
	END { if (tty && shown) printf "\r%30s\r", "" >"/dev/stderr"; exit failed }'
