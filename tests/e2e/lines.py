#!/usr/bin/env python3
"""Every line of lines.txt, on an instance and on the kernel: the exit status, and output of the right form.

    lines.py BUILD

A row is ENGINES STATUS LINE. ENGINES: b both, i the instance only, k the kernel only. In a line {o} is the
folder of the example objects, {p} a folder of pins, {w} the test's own folder with pkt.bin (64 bytes),
bad.o (a good and a bad program), junk (no object) and classic filters, good, cut and bad. Each line runs as text and with -j and -jp:

* the exit status is the row's, on both engines and in all forms;
* what fails says why: one "Error: ..." on stderr, or an "error" in the JSON;
* what succeeds says nothing on stderr;
* JSON is JSON, or nothing.

A line that changes something (ONCE) runs once, as text: a second time it would fail.
The kernel's half is skipped, and said, without root or bpf(2).
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from lib import bpffs

BUILD = os.path.realpath(sys.argv[1])
SKEP = os.path.join(BUILD, "tools/skep/skep")
HERE = os.path.dirname(os.path.abspath(__file__))
FORMS = ([], ["-j"], ["-jp"])
BAD = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int good(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp") int bad(struct xdp_md *ctx) { return *(__u8 *)(long)ctx->data; }
char _license[] SEC("license") = "GPL";
"""

# These change what is there: a second time they would fail.
ONCE = ("prog load", "prog loadall", "prog pin", "map create", "map pin", "map delete", "map freeze",
        "map update", "net dev add", "net dev del", "net dev join", "net attach", "net detach")

problems = []


def call(words, env):
    return subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=60,
                          stdin=subprocess.DEVNULL, env=env)


def is_json(text):
    if not text:
        return True
    try:
        json.loads(text)
        return True
    except ValueError:
        return False


def check(engine, form, status, line, env):
    words = [SKEP, *engine, *form, *line]
    what = " ".join([*engine, *form, *line])
    done = call(words, env)
    if done.returncode != status:
        problems.append("%s: status %d, not %d: %s" % (
            what, done.returncode, status, (done.stdout + done.stderr)[:300]))
    if "Sanitizer" in done.stderr or "runtime error" in done.stderr:
        problems.append("%s: %s" % (what, done.stderr[:3000]))
    if form and not is_json(done.stdout):
        problems.append("%s: no JSON: %s" % (what, done.stdout[:300]))
    help_asked = "help" in line or not line
    if done.returncode == 0 and done.stderr and not help_asked:
        problems.append("%s: says on stderr: %s" % (what, done.stderr[:300]))
    if not form and done.returncode > 1 and not help_asked and not done.stderr.startswith("Error: ") \
            and "Not found" not in done.stdout:
        problems.append("%s: does not say why: %s" % (what, done.stderr[:300]))


def rows():
    with open(os.path.join(HERE, "lines.txt"), encoding="utf-8") as file:
        for row in file:
            if row.strip() and not row.startswith("#"):
                engines, status, line = (row.rstrip("\n").split(" ", 2) + [""])[:3]
                yield engines, int(status), line


def split(line, names):
    """Words at spaces; '...' is one word."""
    words = []
    for i, part in enumerate(line.format(**names).replace("<", "{").replace(">", "}").split("'")):
        words += [part] if i % 2 else part.split()
    return words


def run_engine(letter, engine, names, env):
    count = 0
    for engines, status, line in rows():
        if engines not in ("b", letter):
            continue
        words = split(line, names)
        once = any(line.startswith(start) for start in ONCE) and status == 0
        for form in FORMS[:1] if once else FORMS:
            check(engine, form, status, words, env)
            count += 1
    return count


def main():
    no_kernel = bpffs.ensure()
    work = tempfile.mkdtemp(prefix="skep-lines-")
    env = {**os.environ, "LC_ALL": "C", "XDG_RUNTIME_DIR": work}
    pins = "%s/skep_lines_%d" % (bpffs.PATH, os.getpid())
    names = {"o": os.path.join(BUILD, "examples"), "w": work}
    try:
        with open(os.path.join(work, "pkt.bin"), "wb") as file:
            file.write(bytes(range(64)))
        with open(os.path.join(work, "junk"), "wb") as file:
            file.write(b"junk " * 100)
        # "ip": the EtherType is 0x0800; the same cut, and one that jumps out
        for name, text in (("filter", "4\n40 0 0 12\n21 0 1 2048\n6 0 0 65535\n6 0 0 0\n"),
                           ("cutfilter", "4\n40 0 0 12\n21 0 1\n"),
                           ("badfilter", "2\n21 0 7 2048\n6 0 0 0\n")):
            with open(os.path.join(work, name), "w", encoding="utf-8") as file:
                file.write(text)
        with open(os.path.join(work, "bad.c"), "w", encoding="utf-8") as file:
            file.write(BAD)
        machine = subprocess.run(["cc", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
        subprocess.run(["clang", "-O2", "-g", "-target", "bpf", "-I/usr/include/" + machine, "-c",
                        work + "/bad.c", "-o", work + "/bad.o"], check=True)
        if call([SKEP, "up", "lines"], env).returncode:
            sys.exit("FAILED: skep up lines")
        count = run_engine("i", ["-i", "lines"], {**names, "p": "/p"}, env)
        if call([SKEP, "down", "lines"], env).returncode:
            problems.append("skep down lines")
        if not no_kernel and call([SKEP, "-K", "prog", "list"], env).returncode:
            no_kernel = "no bpf(2)"
        if no_kernel:
            print("without the kernel: " + no_kernel)
        else:
            os.mkdir(pins)
            count += run_engine("k", ["-K"], {**names, "p": pins}, env)
    finally:
        call([SKEP, "down", "lines"], env)
        shutil.rmtree(pins, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
    for problem in problems:
        print("PROBLEM: " + problem)
    print("%d lines, %d problems" % (count, len(problems)))
    sys.exit(1 if problems else 0)


main()
