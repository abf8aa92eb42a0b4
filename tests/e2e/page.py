#!/usr/bin/env python3
"""Runs the commands of a documentation page as a reader types them, and compares what they print.

    page.py BUILD PAGE EXPECTED

All ```sh blocks of PAGE run as one shell script in an empty folder that looks like the checkout:
examples/ is the source's, build-release/ is BUILD, and `make` and `make demo` find the build done.
A line of EXPECTED stands for the line that was printed; `...` in it stands for anything. A page with
a block marked ```sh root is skipped (status 77) unless it is run by root with network namespaces; it
runs in network, mount and process namespaces of its own, so that nothing of it is left behind.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BLOCK = re.compile(r"^```sh( root)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMEOUT_S = 120

PRELUDE = r"""
set -e
make() {
	case "$*" in
	"") ;;
	demo) "$TOP/scripts/demo.sh" "$BUILD" ;;
	*) echo "page: make $* is not for this test" >&2; return 1 ;;
	esac
}
sudo() { "$@"; }
"""


# /run holds the names of network namespaces, /sys/fs/bpf the pins.
ALONE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c",
         "mount -t tmpfs none /run && mount -t sysfs none /sys && mount -t bpf none /sys/fs/bpf &&"
         " ip link set lo up && exec bash -c \"$0\""]


def can_be_root():
    """None, or why a page for root cannot run."""
    if os.geteuid() != 0:
        return "not root"
    for command, package in (("ip", "iproute2"), ("ping", "iputils-ping")):
        if not shutil.which(command):
            return "no %s: install %s" % (command, package)
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun"
    probe = subprocess.run(ALONE + ["true"], capture_output=True, text=True)
    return None if probe.returncode == 0 else "no namespaces of its own: " + probe.stderr.strip()


def line_matches(expected, printed):
    pattern = ".*".join(re.escape(part) for part in expected.split("..."))
    return re.fullmatch(pattern, printed) is not None


def compare(expected, printed):
    """The first line that differs, or None."""
    for number in range(max(len(expected), len(printed))):
        want = expected[number] if number < len(expected) else None
        got = printed[number] if number < len(printed) else None
        if want is None or got is None or not line_matches(want, got):
            return "line %d: expected %r, printed %r" % (number + 1, want, got)
    return None


def run(build, script, alone):
    with tempfile.TemporaryDirectory(prefix="skep-page-") as folder:
        os.symlink(os.path.join(TOP, "examples"), os.path.join(folder, "examples"))
        os.symlink(build, os.path.join(folder, "build-release"))
        env = dict(os.environ, TOP=TOP, BUILD=build, XDG_RUNTIME_DIR=folder, LC_ALL="C",
                   PATH=os.path.join(build, "tools/skep") + ":" + os.environ["PATH"])
        return subprocess.run((ALONE if alone else ["bash", "-c"]) + [PRELUDE + script], cwd=folder, env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S)


def main():
    build, page, expected = sys.argv[1:]
    blocks = BLOCK.findall(open(page, encoding="utf-8").read())
    if not blocks:
        sys.exit(page + " has no ```sh block")
    needs_root = any(root for root, _ in blocks)
    reason = can_be_root() if needs_root else None
    if reason:
        print("skipped: %s needs root: %s" % (page, reason))
        sys.exit(77)
    done = run(os.path.abspath(build), "".join(text for _, text in blocks), needs_root)
    problem = compare(open(expected, encoding="utf-8").read().splitlines(), done.stdout.splitlines())
    if done.returncode:
        problem = "exit status %d" % done.returncode
    if problem:
        sys.exit("%s: %s\n--- printed\n%s" % (page, problem, done.stdout))


if __name__ == "__main__":
    main()
