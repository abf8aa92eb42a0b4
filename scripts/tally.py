#!/usr/bin/env python3
"""Prints "PASSED FAILED SKIPPED" of a meson testlog.json; whatever is neither OK nor SKIP failed."""
import json
import os
import sys

counts = {"OK": 0, "FAIL": 0, "SKIP": 0}
if not os.path.exists(sys.argv[1]):
    sys.exit("there is no " + sys.argv[1])
for line in open(sys.argv[1], encoding="utf-8"):
    result = json.loads(line)["result"]
    counts[{"EXPECTEDFAIL": "OK"}.get(result, result if result in counts else "FAIL")] += 1
if not sum(counts.values()):
    sys.exit("the log has no test")
print(counts["OK"], counts["FAIL"], counts["SKIP"])
