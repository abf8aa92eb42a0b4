#!/usr/bin/env python3
"""`skep bench prog` measures what it is asked to, and refuses what it cannot measure.

    bench.py BUILD

Times are not judged; that the figures belong together is.
"""
import json
import os
import subprocess
import sys
import tempfile

BUILD = os.path.realpath(sys.argv[1])
SKEP = os.path.join(BUILD, "tools/skep/skep")
OBJECT = os.path.join(BUILD, "examples/xdp_firewall.bpf.o")
CAPTURE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../examples/capture/mixed.pcap"))
problems = []


def bench(*words):
    return subprocess.run([SKEP, *words[:1], "bench", "prog", *words[1:]], capture_output=True, text=True,
                          timeout=60)


def expect(is_so, what):
    if not is_so:
        problems.append(what)


def check_figures(name, out, engines, length):
    r = json.loads(out)
    expect(r["prog"] == "xdp_firewall", f"{name}: prog is {r['prog']}")
    expect(r["data_len"] == length, f"{name}: {r['data_len']} bytes, not {length}")
    expect(list(r["engines"]) == engines == list(r["empty"]), f"{name}: engines are {list(r['engines'])}")
    for engine in engines:
        e, empty = r["engines"][engine], r["empty"][engine]
        for t in (e, empty):
            expect(0 < t["ns_min"] <= t["ns_median"] <= t["ns_max"], f"{name}: {engine}: {t}")
        net = max(e["ns_min"] - empty["ns_min"], 0.5)
        expect(abs(e["ns_net"] - net) < 0.01, f"{name}: {engine}: net {e['ns_net']}, not {net}")
        expect(e["retval"] == 2, f"{name}: {engine} returned {e['retval']}")
    pairs = {f"{a}/{b}": r["engines"][a]["ns_net"] / r["engines"][b]["ns_net"]
             for i, a in enumerate(engines) for b in engines[i + 1:]}
    expect(set(pairs) == set(r["ratio"]), f"{name}: ratios of {list(r['ratio'])}")
    for pair, ratio in pairs.items():
        expect(abs(r["ratio"][pair] - ratio) <= 0.01 * ratio + 0.001, f"{name}: {pair} is {r['ratio'][pair]}")


def check_refused(words, reason):
    r = bench("-j", *words)
    expect(r.returncode == 255, f"{words}: exit status {r.returncode}")
    expect(reason in r.stdout, f"{words}: {r.stdout} says nothing of '{reason}'")


with tempfile.TemporaryDirectory() as folder:
    frame = os.path.join(folder, "frame")
    with open(frame, "wb") as f:
        f.write(bytes(60))
    r = bench("-j", OBJECT, "--engine", "jit,interp,checked", "--repeat", "2000")
    check_figures("own frame", r.stdout, ["jit", "interp", "checked"], 64)
    r = bench("-j", OBJECT + ":xdp_firewall", "--engine", "interp", "--repeat", "50", "--data", frame)
    check_figures("bytes", r.stdout, ["interp"], 60)
    first = bench("-j", OBJECT, "--repeat", "50", "--data", CAPTURE)
    other = bench("-j", OBJECT, "--repeat", "50", "--data", CAPTURE, "--frame", "2")
    check_figures("a capture's first frame", first.stdout, ["jit", "interp"], 72)
    expect(json.loads(other.stdout)["data_len"] > 14, "a capture's second frame")
    text = bench("-d", OBJECT, "--repeat", "50")
    expect("jit/interp" in text.stdout and text.returncode == 0, f"as text: {text.stdout}{text.stderr}")

    check_refused([], "an object file is missing")
    check_refused([OBJECT, OBJECT], "one word too many")
    check_refused([OBJECT + ":nosuch"], "has no program named nosuch")
    check_refused([os.path.join(folder, "nosuch.o")], "No such file")
    check_refused([OBJECT, "--engine", "jit,warp"], "not 'warp'")
    check_refused([OBJECT, "--engine"], "--engine takes")
    check_refused([OBJECT, "--repeat", "0"], "--repeat takes a number from 1")
    check_refused([OBJECT, "--data", frame, "--frame", "2"], "only a capture")
    check_refused([OBJECT, "--data", CAPTURE, "--frame", "99999999"], "no frame 99999999")
    check_refused([OBJECT, "--update", "nosuch key 1 value 1"], "no map named nosuch")
    check_refused([OBJECT, "--fast"], "no option of bench")

if problems:
    sys.exit("\n".join(problems))
