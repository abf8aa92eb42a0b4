"""A BPF file system at /sys/fs/bpf for tests that pin in the kernel, on machines where none is mounted.

Where there is one, it is used. Else the test starts itself again in a mount namespace of its own and
mounts it there, so that the machine stays as it was.
"""
import os
import subprocess
import sys

PATH = "/sys/fs/bpf"
AGAIN = "SKEP_TEST_OWN_BPFFS"


def is_mounted():
    return any(line.split()[1:3] == [PATH, "bpf"] for line in open("/proc/mounts", encoding="utf-8"))


def ensure():
    """None, or why there is none. May start the program again instead of returning."""
    if os.geteuid() != 0:
        return "not root"
    if is_mounted():
        return None
    own = ["unshare", "--mount", "sh", "-c", "mount -t bpf bpf %s && exec \"$@\"" % PATH, "sh"]
    if AGAIN in os.environ or subprocess.run(own + ["true"], capture_output=True).returncode:
        return "no bpf file system can be mounted here"
    os.environ[AGAIN] = "1"
    os.execvp(own[0], own + [sys.executable, *sys.argv])
