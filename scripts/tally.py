#!/usr/bin/env python3
"""What a meson testlog.json says.

    tally.py LOG              "PASSED FAILED SKIPPED"; whatever is neither OK nor SKIP failed
    tally.py --skipped LOG    a line for each skipped test, with the reason that it printed
"""
import json
import os
import sys

RESULTS = {"OK": 0, "EXPECTEDFAIL": 0, "SKIP": 2}


def tests(path):
    if not os.path.exists(path):
        sys.exit("there is no " + path)
    for line in open(path, encoding="utf-8"):
        yield json.loads(line)


def reason(test):
    """The last line that says so, else the last line."""
    lines = [line.strip() for part in ("stdout", "stderr") for line in (test.get(part) or "").splitlines()
             if line.strip()]
    saying = [line for line in lines if "skip" in line.lower()] or lines
    return saying[-1].removeprefix("skipped: ") if saying else "no reason given"


def main():
    if sys.argv[1] == "--skipped":
        for test in tests(sys.argv[2]):
            if test["result"] == "SKIP":
                print("skipped %s: %s" % (test["name"].split(" / ")[-1], reason(test)))
        return
    counts = [0, 0, 0]
    for test in tests(sys.argv[1]):
        counts[RESULTS.get(test["result"], 1)] += 1
    if not sum(counts):
        sys.exit("the log has no test")
    print(*counts)


if __name__ == "__main__":
    main()
