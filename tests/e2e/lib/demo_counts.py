#!/usr/bin/env python3
"""Reads what the demo prints and writes "ADDRESS COUNT" of pkt_stats, "dropped N" and "passed N"."""
import re
import sys

text = open(sys.argv[1], encoding="utf-8").read()
table = re.search(r"^map pkt_stats \(.*\)\n((?:\t.*\n)*)", text, re.MULTILINE)
device = re.search(r"^pcap0\(.*\n(?:\t.*\n)*", text, re.MULTILINE)
if not table or not device:
    sys.exit("no table pkt_stats or no device pcap0")
for row in table.group(1).splitlines():
    print(*row.split())
for word, action in (("dropped", "XDP_DROP"), ("passed", "XDP_PASS")):
    print(word, re.search(action + r" (\d+)", device.group(0)).group(1))
