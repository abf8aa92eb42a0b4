#!/usr/bin/env python3
"""Writes the shipped capture: the same bytes on every machine, from a fixed seed.

The traffic is what a filter has to tell apart: IPv4 of several sources over UDP, TCP and ICMP, plain
and behind one or two VLAN tags, with and without header options and padding; IPv6 and ARP; and IPv4
that lies about itself (cut off, wrong version, header length or total length). The sources:

    10.1.0.1 … 10.1.0.8   ordinary hosts        192.168.7.7, 192.168.200.1   a private network
    10.1.0.9              the one to block      172.16.5.4, 203.0.113.77     more networks

Formats: classic pcap with nanosecond stamps, and pcapng (if_tsresol 9), both little-endian.
The random numbers are a 64-bit LCG of our own, so that they do not depend on Python's version.
"""
import argparse
import struct

SEED = 0x5EED0002
PACKET_CNT = 10500
START_NS = 1_700_000_000_000_000_000
SNAPLEN = 65535

ETH_IPV4, ETH_ARP, ETH_IPV6, ETH_VLAN, ETH_QINQ = 0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8
ICMP, TCP, UDP = 1, 6, 17

# (address, weight)
SOURCES = [("10.1.0.%d" % host, weight) for host, weight in
           ((1, 14), (2, 12), (3, 10), (4, 8), (5, 7), (6, 5), (7, 4), (8, 3), (9, 15))]
SOURCES += [("192.168.7.7", 8), ("192.168.200.1", 5), ("172.16.5.4", 5), ("203.0.113.77", 4)]


class Random:
    """Knuth's MMIX generator; the upper half of the state is the number."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        return (self.state >> 33) % limit

    def chance(self, percent):
        return self.below(100) < percent

    def pick(self, weighted):
        at = self.below(sum(weight for _, weight in weighted))
        for item, weight in weighted:
            if at < weight:
                return item
            at -= weight


def address(text):
    return bytes(int(part) for part in text.split("."))


def text(length):
    return bytes(ord("a") + at % 26 for at in range(length))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def transport(rnd, proto, src, dst, payload):
    """The header and payload above IPv4, with the checksum over the pseudo header where there is one."""
    if proto == ICMP:
        head = struct.pack("!BBHHH", 8, 0, 0, rnd.below(65536), rnd.below(65536))
        return head[:2] + struct.pack("!H", checksum(head + payload)) + head[4:] + payload
    ports = struct.pack("!HH", 1024 + rnd.below(60000), rnd.pick([(80, 3), (443, 6), (9000, 3)]))
    if proto == UDP:
        head, check_at = ports + struct.pack("!HH", 8 + len(payload), 0), 6
    else:
        head, check_at = ports + struct.pack("!IIBBHHH", rnd.below(2**31), rnd.below(2**31),
                                             5 << 4, rnd.pick([(2, 1), (16, 4), (24, 2)]), 64240, 0, 0), 16
    pseudo = src + dst + struct.pack("!BBH", 0, proto, len(head) + len(payload))
    value = checksum(pseudo + head + payload) or 0xFFFF
    return head[:check_at] + struct.pack("!H", value) + head[check_at + 2:] + payload


def ipv4(rnd, src, dst, version=4, ihl=None, total_len=None):
    """A valid packet unless a field is given."""
    options = b"\x94\x04\0\0" if rnd.chance(6) else b""  # router alert
    proto = rnd.pick([(UDP, 5), (TCP, 6), (ICMP, 2)])
    body = transport(rnd, proto, src, dst, text(rnd.below(24)))
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH", version << 4 | (words if ihl is None else ihl), 0,
                       words * 4 + len(body) if total_len is None else total_len,
                       rnd.below(65536), 0x4000, 64, proto, 0) + src + dst + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def malformed_ipv4(rnd, src, dst):
    defect = rnd.below(6)
    if defect == 0:
        return ipv4(rnd, src, dst)[:rnd.below(20)]  # the header is cut off
    if defect == 1:
        return ipv4(rnd, src, dst, version=rnd.pick([(0, 1), (5, 1), (6, 2)]))
    if defect == 2:
        return ipv4(rnd, src, dst, ihl=rnd.below(5))
    if defect == 3:
        return ipv4(rnd, src, dst, total_len=rnd.below(20))
    if defect == 4:
        return ipv4(rnd, src, dst, total_len=1500)  # more than the frame holds
    whole = ipv4(rnd, src, dst)
    return whole[:len(whole) - 1 - rnd.below(8)]  # the end is cut off


def ipv6(rnd):
    payload = text(rnd.below(24))
    src = bytes.fromhex("20010db8000000000000000000000000")[:15] + bytes([1 + rnd.below(9)])
    dst = bytes.fromhex("20010db80000000000000000000000fe")
    head = struct.pack("!HHHH", 5353, 9000, 8 + len(payload), 0)
    pseudo = src + dst + struct.pack("!II", 8 + len(payload), UDP)
    value = checksum(pseudo + head + payload) or 0xFFFF
    return (struct.pack("!IHBB", 6 << 28, 8 + len(payload), UDP, 64) + src + dst + head[:6] +
            struct.pack("!H", value) + payload)


def arp(rnd, src, dst, mac):
    return struct.pack("!HHBBH", 1, ETH_IPV4, 6, 4, 1) + mac + src + bytes(6) + dst


def tagged(rnd, ethertype):
    """The bytes between the addresses and the payload: 0, 1 or 2 VLAN tags and the type."""
    tags = rnd.pick([(0, 88), (1, 9), (2, 3)])
    tci = struct.pack("!H", 1 + rnd.below(4000))
    outer = struct.pack("!H", ETH_QINQ) + struct.pack("!H", 1 + rnd.below(4000)) if tags == 2 else b""
    inner = struct.pack("!H", ETH_VLAN) + tci if tags else b""
    return outer + inner + struct.pack("!H", ethertype)


def frame(rnd):
    src = address(rnd.pick(SOURCES))
    dst = address("10.2.0.%d" % (1 + rnd.below(3)))
    mac = b"\x02\0" + src
    kind = rnd.pick([("ipv4", 88), ("malformed", 4), ("ipv6", 5), ("arp", 3)])
    payload, ethertype = {
        "ipv4": lambda: (ipv4(rnd, src, dst), ETH_IPV4),
        "malformed": lambda: (malformed_ipv4(rnd, src, dst), ETH_IPV4),
        "ipv6": lambda: (ipv6(rnd), ETH_IPV6),
        "arp": lambda: (arp(rnd, src, dst, mac), ETH_ARP),
    }[kind]()
    data = b"\x02\0\x0a\x02\0\xfe" + mac + tagged(rnd, ethertype) + payload
    if kind == "ipv4" and rnd.chance(30):
        data = data.ljust(60, b"\0")  # as a card pads a short frame
    return data


def frames():
    rnd = Random(SEED)
    now = START_NS
    for _ in range(PACKET_CNT):
        now += 1 + rnd.below(2_000_000)
        yield now, frame(rnd)


def write_pcap(out):
    out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, SNAPLEN, 1))
    for stamp, data in frames():
        out.write(struct.pack("<IIII", stamp // 10**9, stamp % 10**9, len(data), len(data)) + data)


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def write_pcapng(out):
    out.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
    tsresol = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
    out.write(block(1, struct.pack("<HHI", 1, 0, SNAPLEN) + tsresol))
    for stamp, data in frames():
        out.write(block(6, struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF,
                                       len(data), len(data)) + data))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--format", choices=("pcap", "pcapng"), default="pcap")
    parser.add_argument("file")
    args = parser.parse_args()
    with open(args.file, "wb") as out:
        (write_pcap if args.format == "pcap" else write_pcapng)(out)


if __name__ == "__main__":
    main()
