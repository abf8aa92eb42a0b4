#!/usr/bin/env python3
"""The command's output on the kernel (-K) against the real bpftool's, on the same live objects.

    bpftool_shapes.py BUILD

Objects of many kinds are made with bpftool: a program with two functions and static data, maps of every
type the kernel lets us make, an XDP attachment, links. Then each verb that only looks runs through
both commands, as text, compact JSON and pretty JSON: stdout and exit status have to be the same, and
of errors also the words where a row says so. Skips (77) without root, bpf(2) or bpftool.
"""
import ctypes
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from lib import bpffs

BUILD = os.path.realpath(sys.argv[1])
SKEP = os.path.join(BUILD, "tools/skep/skep")
FORMS = ([], ["-j"], ["-j", "-p"])
DEVS = ["sh%d%s" % (os.getpid(), side) for side in "abcd"]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum color { RED, GREEN = 7, BLUE = 9 };
struct inner { __u16 a; __u8 b : 3, c : 5; char name[8]; };
struct value {
	__u64 count;
	int below;
	struct inner in;
	enum color color;
	_Bool flag;
	__u8 bytes[3];
	void *where;
	union { __u32 whole; __u16 halves[2]; } both;
};

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8);
	 __type(key, __u32); __type(value, struct value); } typed SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 2);
	 __type(key, __u32); __type(value, __u64); } counters SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 2);
	 __type(key, __u32); __type(value, __u32); } jumps SEC(".maps");

const volatile int limit = 5;
int seen;
static char text[] = "it's \"text\"\n";

static __attribute__((noinline)) int helper(struct xdp_md *ctx, __u32 key)
{
	struct value *value = bpf_map_lookup_elem(&typed, &key);
	__u64 *count = bpf_map_lookup_elem(&counters, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	if (value)
		value->count += limit;
	seen += 1;
	return value ? value->below : (int)bpf_get_smp_processor_id();
}

SEC("xdp")
int a_name_longer_than_fifteen(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;

	if (helper(ctx, key) == 42)
		bpf_printk("%s'", text);
	bpf_tail_call(ctx, &jumps, 1);
	return ctx->data_end - ctx->data > 60 ? XDP_PASS : XDP_DROP;
}

SEC("raw_tp/netif_receive_skb")
int raw(void *ctx)
{
	return helper((void *)0, 1) & 1;
}

SEC("tp/syscalls/sys_enter_getpid")
int plain(void *ctx)
{
	return 0;
}

SEC("tc")
int filter(struct __sk_buff *skb)
{
	return skb->len > 1000 ? 2 : 0;
}

SEC("flow_dissector")
int dissect(struct __sk_buff *skb)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
"""

ITER_SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("iter/bpf_map")
int each_map(void *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
"""

# bpf(2), for the links that bpftool cannot make
SYS_BPF, RAW_TRACEPOINT_OPEN, LINK_CREATE = 321, 17, 28
ATTACH_FLOW_DISSECTOR, ATTACH_XDP = 17, 37

# Arguments of `map create` after the type; rows the kernel refuses are left out, and said.
MAPS = {
    "hash": "key 4 value 8 entries 16",
    "array": "key 4 value 8 entries 4",
    "percpu_hash": "key 4 value 8 entries 16",
    "percpu_array": "key 4 value 20 entries 2",
    "lru_hash": "key 4 value 8 entries 16",
    "lru_percpu_hash": "key 4 value 8 entries 16",
    "lpm_trie": "key 8 value 8 entries 16 flags 1",
    "queue": "value 4 entries 4",
    "stack": "value 4 entries 4",
    "bloom_filter": "value 4 entries 64",
    "ringbuf": "entries 4096",
    "user_ringbuf": "entries 4096",
    "prog_array": "key 4 value 4 entries 4",
    "perf_event_array": "key 4 value 4 entries 4",
    "stack_trace": "key 4 value 80 entries 16",
    "cgroup_array": "key 4 value 4 entries 2",
    "devmap": "key 4 value 8 entries 2",
    "devmap_hash": "key 4 value 8 entries 2",
    "cpumap": "key 4 value 8 entries 2",
    "xskmap": "key 4 value 4 entries 2",
    "sockmap": "key 4 value 8 entries 2",
    "sockhash": "key 4 value 8 entries 2",
    "array_of_maps": "key 4 value 4 entries 2 inner_map pinned {dir}/m_hash",
    "hash_of_maps": "key 4 value 4 entries 2 inner_map pinned {dir}/m_hash",
    "hash_wide": "key 20 value 40 entries 4",
    "hash_long": "key 16 value 12 entries 4",
}

UPDATES = (
    "m_hash key 1 0 0 0 value 1 2 3 4 5 6 7 8",
    "m_hash key hex 0a 01 00 09 value hex ff fe 00 01 02 03 04 05",
    "m_array key 2 0 0 0 value 9 0 0 0 0 0 0 0",
    "m_percpu_hash key 1 0 0 0 value 1 2 3 4 5 6 7 8",
    "m_percpu_array key 1 0 0 0 value " + " ".join(str(i) for i in range(20)),
    "m_lru_hash key 1 0 0 0 value 1 2 3 4 5 6 7 8",
    "m_lru_percpu_hash key 1 0 0 0 value 1 2 3 4 5 6 7 8",
    "m_lpm_trie key 16 0 0 0 10 0 0 0 value 1 2 3 4 5 6 7 8",
    "m_lpm_trie key 24 0 0 0 10 1 2 0 value 3 2 3 4 5 6 7 8",
    "m_queue value 1 0 0 0",
    "m_queue value 2 0 0 0",
    "m_stack value 1 0 0 0",
    "m_hash_wide key " + " ".join(["7"] * 20) + " value " + " ".join(["8"] * 40),
    "m_hash_long key " + " ".join(["7"] * 16) + " value " + " ".join(["8"] * 12),
    "m_array_of_maps key 0 0 0 0 value pinned {dir}/m_hash",
    "m_hash_of_maps key 7 0 0 0 value pinned {dir}/m_hash",
    "m_prog_array key 0 0 0 0 value pinned {dir}/progs/a_name_longer_than_fifteen",
)

problems = []
compared = 0


def skip(reason):
    print("skipped: " + reason)
    sys.exit(77)


def call(command, *args):
    return subprocess.run([command, *args], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C"})


def must(*args):
    done = subprocess.run(args, capture_output=True, text=True, timeout=60)
    if done.returncode:
        sys.exit("FAILED: %s\n%s%s" % (" ".join(args), done.stdout, done.stderr))
    return done.stdout


def first_difference(a, b):
    a, b = a.split("\n"), b.split("\n")
    for number, (x, y) in enumerate(zip(a, b), 1):
        if x != y:
            return "line %d: bpftool %r, skep %r" % (number, x[:300], y[:300])
    return "bpftool %d lines, skep %d" % (len(a), len(b))


def one_notation(text):
    """Linux 6.18 writes the address of a per-CPU variable in another way than bpftool 7.1; how long a
    run took is no part of a shape."""
    text = re.sub(r"&\(void __percpu \*\)\((r\d)\)", r"\1", text)
    return re.sub(r"(duration[^0-9]*)[0-9]+", r"\1N", text)


def unordered(text):
    """Lists of ids are in the order of a hash table: order is no part of the shape."""
    try:
        value = json.loads(text)
    except ValueError:
        lines = []
        for line in text.split("\n"):
            words = line.split("  ")
            for i, word in enumerate(words):
                if "_ids " in word:
                    name, ids = word.split(" ")
                    words[i] = name + " " + ",".join(sorted(ids.split(",")))
            lines.append("  ".join(words))
        return "\n".join(lines)
    for row in value if isinstance(value, list) else [value]:
        if isinstance(row, dict):
            for field in ("prog_ids", "map_ids"):
                row.get(field, []).sort()
    return json.dumps(value)


def difference(words, any_order, errors, status_only):
    """What skep does otherwise than bpftool, or None."""
    real, ours = call("bpftool", *words), call(SKEP, "-K", *words)
    ours.stdout, real.stdout = one_notation(ours.stdout), one_notation(real.stdout)
    if any_order:
        real.stdout, ours.stdout = unordered(real.stdout), unordered(ours.stdout)
    if real.returncode != ours.returncode:
        return "status %d, bpftool %d (%s | %s)" % (
            ours.returncode, real.returncode, ours.stderr.strip(), real.stderr.strip())
    if not status_only and real.stdout != ours.stdout:
        return first_difference(real.stdout, ours.stdout)
    if errors and real.stderr != ours.stderr:
        return first_difference(real.stderr, ours.stderr)
    return None


def compare(line, forms=FORMS, any_order=False, errors=False, status_only=False):
    """Others may load and unload programs meanwhile: what lists all objects may need a few tries."""
    global compared
    for form in forms:
        words = form + line.split()
        compared += 1
        for attempt in range(10):
            what = difference(words, any_order, errors, status_only)
            if what is None:
                break
            time.sleep(0.02 * attempt)
        else:
            problems.append("%s: %s" % (" ".join(words), what))


def bpf(command, attr):
    buf = ctypes.create_string_buffer(attr.ljust(128, b"\0"))
    fd = ctypes.CDLL(None, use_errno=True).syscall(SYS_BPF, command, buf, 128)
    return fd if fd >= 0 else -ctypes.get_errno()


def prog_fd(path):
    """An open program, through the descriptor that BPF_OBJ_GET gives."""
    name = ctypes.create_string_buffer(path.encode())
    return bpf(7, struct.pack("<QII", ctypes.addressof(name), 0, 0))


def make_links(pins, work):
    """Links live as long as this process: an XDP, a raw tracepoint and a flow dissector link; and a
    pinned iterator. Those that the kernel refuses are left out, and said."""
    name = ctypes.create_string_buffer(b"netif_receive_skb")
    netns = os.open("/proc/self/ns/net", os.O_RDONLY)
    ifindex = int(open("/sys/class/net/%s/ifindex" % DEVS[2], encoding="ascii").read())
    made = {
        "raw tracepoint": bpf(RAW_TRACEPOINT_OPEN, struct.pack(
            "<QI", ctypes.addressof(name), prog_fd(pins + "/progs/raw"))),
        "xdp": bpf(LINK_CREATE, struct.pack(
            "<IIII", prog_fd(pins + "/progs/a_name_longer_than_fifteen"), ifindex, ATTACH_XDP, 0)),
        "flow dissector": bpf(LINK_CREATE, struct.pack(
            "<IIII", prog_fd(pins + "/progs/dissect"), netns, ATTACH_FLOW_DISSECTOR, 0)),
    }
    for what, fd in made.items():
        if fd < 0:
            print("without a link for %s: %s" % (what, os.strerror(-fd)))
    source, obj = os.path.join(work, "iter.bpf.c"), os.path.join(work, "iter.bpf.o")
    with open(source, "w", encoding="utf-8") as file:
        file.write(ITER_SOURCE)
    compile_bpf(source, obj)
    done = call("bpftool", "iter", "pin", obj, pins + "/iter")
    if done.returncode:
        print("without an iterator: " + done.stderr.strip())


def compare_links(pins):
    compare("link list")
    compare("-f link list")
    compare("net list")
    for row in json.loads(must("bpftool", "-j", "link", "list")):
        compare("link show id %d" % row["id"])
    if os.path.exists(pins + "/iter"):
        compare("link show pinned %s/iter" % pins)
        compare("-f link show pinned %s/iter" % pins)


def compare_filters(pins):
    """Traffic control: a filter on either side of a clsact qdisc, one without a name of its own."""
    if not shutil.which("tc"):
        print("without tc filters: no tc(8)")
        return
    prog = pins + "/progs/filter"
    for words in ("qdisc add dev %s clsact",
                  "filter add dev %s ingress bpf da object-pinned " + prog,
                  "filter add dev %s egress bpf da object-pinned " + prog):
        done = call("tc", *(words % DEVS[0]).split())
        if done.returncode:
            print("without tc filters: " + done.stderr.strip())
            return
    compare("net list")
    compare("net show dev " + DEVS[0])
    compare("net show dev " + DEVS[1])


def compare_map_list(refs):
    """bpftool 7.1 forgets to clear its buffer: a map without BTF is listed with the id of the one
    before. Shown one by one the maps are right, so the list is held against those."""
    global compared
    texts = [must("bpftool", "map", "show", *ref.split()) for ref in refs]
    rows = [json.loads(must("bpftool", "-j", "map", "show", *ref.split())) for ref in refs]
    for line in ("map list", "map show", "map"):
        compared += 2
        ours = call(SKEP, "-K", *line.split()).stdout
        for text in texts:
            if "\n" + text not in "\n" + ours:
                problems.append("%s: lacks %s" % (line, text))
        ours = json.loads(call(SKEP, "-K", "-j", *line.split()).stdout)
        for row in rows:
            if json.dumps(row) not in [json.dumps(our) for our in ours]:
                problems.append("-j %s: lacks %s" % (line, row))


def compile_bpf(source, obj):
    machine = must("cc", "-print-multiarch").strip()
    must("clang", "-O2", "-g", "-target", "bpf", "-I/usr/include/" + machine, "-c", source, "-o", obj)


def make_objects(work, pins):
    source, obj = os.path.join(work, "shapes.bpf.c"), os.path.join(work, "shapes.bpf.o")
    with open(source, "w", encoding="utf-8") as file:
        file.write(SOURCE)
    compile_bpf(source, obj)
    must("bpftool", "prog", "loadall", obj, pins + "/progs", "pinmaps", pins + "/maps")
    made = []
    for name, args in MAPS.items():
        kind = "hash" if name in ("hash_wide", "hash_long") else name
        done = call("bpftool", "map", "create", "%s/m_%s" % (pins, name), "type", kind,
                    *args.format(dir=pins).split(), "name", ("s_" + name)[:15])
        if done.returncode:
            print("without a map of type %s: %s" % (name, done.stderr.strip()))
        else:
            made.append("m_" + name)
    for line in UPDATES:
        name, rest = line.split(" ", 1)
        if name in made:
            must("bpftool", "map", "update", "pinned", "%s/%s" % (pins, name), *rest.format(dir=pins).split())
    value = struct.pack("<Qi HB8sx i?3s Q I4x", 77, -5, 0x1234, 0xab, b"name\x01", 7, True,
                        b"\x01\x02\x03", 0xffff8000deadbeef, 0x00020001)
    return made, value


def look(pins, made, ids):
    prog = "pinned %s/progs/a_name_longer_than_fifteen" % pins
    for obj in ("prog", "net", "link"):
        compare(obj + " list")
        compare(obj + " show")
        compare(obj)
    compare_map_list(["pinned %s/%s" % (pins, name) for name in ["maps/typed", "maps/counters"] + made])
    compare("btf list", any_order=True)
    compare("btf show id %d" % ids["btf"], any_order=True)
    for ref in (prog, "id %d" % ids["prog"], "name a_name_longer_than_fifteen", "tag " + ids["tag"]):
        compare("prog show " + ref)
    compare("-f prog list")
    compare("-f map show pinned %s/maps/typed" % pins)
    compare("-f link list")
    for name in ("a_name_longer_than_fifteen", "raw", "plain"):
        ref = "pinned %s/progs/%s" % (pins, name)
        for option in ("", " opcodes", " linum"):
            compare("prog dump xlated %s%s" % (ref, option))
    compare("btf dump prog " + prog)
    compare("btf dump prog %s format c" % prog)
    compare("btf dump id %d format raw" % ids["btf"])
    for which in ("", " key", " value", " kv", " all"):
        compare("btf dump map pinned %s/maps/typed%s" % (pins, which))
    for name in ["maps/typed", "maps/counters"] + made:
        ref = "pinned %s/%s" % (pins, name)
        compare("map show " + ref)
        compare("map dump " + ref)
        if "queue" in name or "stack" == name[2:]:
            compare("map peek " + ref)
        else:
            size = json.loads(must("bpftool", "-j", "map", "show", *ref.split()))["bytes_key"]
            key = " key " + " ".join(["1"] + ["0"] * (size - 1)) if size else ""
            compare("map getnext " + ref)
            compare("map getnext %s%s" % (ref, key))
            compare("map lookup %s%s" % (ref, key))
    compare("map lookup pinned %s/maps/typed key 9 9 9 9" % pins)
    compare("map show name s_hash")
    compare("map dump name s_hash")
    compare("map dump name shapes.rodata")
    compare("map dump name shapes.bss")
    compare("net show dev lo")


def twins(pins, work):
    """Several maps of one name. (Typed and untyped ones mixed confuse bpftool 7.1: it gives both the BTF of one.)"""
    for n in (1, 2):
        must("bpftool", "map", "create", "%s/twin%d" % (pins, n), "type", "hash", "key", "4", "value", "2",
             "entries", "4", "name", "s_twin")
        must("bpftool", "map", "update", "pinned", "%s/twin%d" % (pins, n), *("key 1 0 0 %d value 1 2" % n).split())
    compare("map dump name s_twin")
    os.makedirs(pins + "/maps2")
    must("bpftool", "prog", "loadall", os.path.join(work, "shapes.bpf.o"), pins + "/progs2", "pinmaps",
         pins + "/maps2")
    compare("map dump name shapes.bss")
    compare("map show name shapes.bss")


def run(pins, work):
    prog = "prog run pinned %s/progs/a_name_longer_than_fifteen data_in " % pins
    for size in (14, 20, 61, 64, 200):
        path = os.path.join(work, "data%d" % size)
        with open(path, "wb") as file:
            file.write(bytes(range(25, 25 + size)) if size < 200 else b"ab\n\0" * 50)
        compare(prog + path)
        compare(prog + path + " data_out - repeat 3")
    for command in ("bpftool", SKEP + " -K"):
        words = (command + " " + prog + path + " data_out " + path + ".out").split()
        subprocess.run(words, capture_output=True, check=True, timeout=60)
        with open(path + ".out", "rb") as file:
            if file.read() != b"ab\n\0" * 50:
                problems.append(command + " prog run: data_out is not data_in")
        os.unlink(path + ".out")
    compare(prog + "/nonexistent", status_only=True)
    compare(prog + path + " repeat x", forms=([],), status_only=True)


def files(pins, work):
    """`file FILE`: the same bytes."""
    for what in ("xlated", "jited"):
        ref = "prog dump %s pinned %s/progs/raw file " % (what, pins)
        a, b = os.path.join(work, "a"), os.path.join(work, "b")
        real = call("bpftool", *(ref + a).split())
        if real.returncode:
            continue  # a bpftool without a disassembler does not write machine code either
        ours = call(SKEP, "-K", *(ref + b).split())
        with open(a, "rb") as x, open(b, "rb") as y:
            if ours.returncode or x.read() != y.read():
                problems.append("prog dump %s file: %s" % (what, ours.stderr))


def mistakes(pins):
    """What cannot work: the same status, and the same words where there is no more to say."""
    compare("prog show id 999999", errors=True)
    compare("map show id 999999", errors=True)
    compare("link show id 999999", errors=True)
    compare("prog show pinned %s/nothing" % pins, errors=True)
    compare("map show pinned %s/nothing" % pins, errors=True)
    compare("map update pinned %s/m_hash key 1 0 0 1 value 1 2 3 4 5 6 7 8 exist" % pins, errors=True)
    compare("map update pinned %s/m_hash key 1 0 0 0 value 1 2 3 4 5 6 7 8 noexist" % pins, errors=True)
    compare("map delete pinned %s/m_hash key 1 0 0 1" % pins, errors=True)
    compare("map create %s/bad type hash key 0 value 8 entries 1 name bad" % pins, errors=True)
    for line in ("prog show nonsense", "map show id x", "prog dump nonsense id 1", "map dump",
                 "map update pinned %s/m_hash key 1 2 value 1" % pins,
                 "btf dump id 999999", "btf dump nonsense", "net attach nonsense id 1 dev lo",
                 "net detach xdp dev nosuch0", "nonsense", "prog nonsense",
                 "prog load /etc/passwd %s/bad" % pins):
        compare(line, forms=([],), status_only=True)


def main():
    reason = bpffs.ensure()
    if reason:
        skip(reason)
    for command in ("bpftool", "clang", "cc", "ip"):
        if not shutil.which(command):
            skip(command + " is not installed")
    if call("bpftool", "prog", "list").returncode:
        skip("no bpf(2) here: " + call("bpftool", "prog", "list").stderr.strip())
    if call("bpftool", "version").stdout.splitlines()[0] != "bpftool v7.1.0":
        skip("another bpftool than 7.1.0, whose shapes these are")
    work = tempfile.mkdtemp(prefix="skep-shapes-")
    pins = "%s/skep_shapes_%d" % (bpffs.PATH, os.getpid())
    try:
        os.makedirs(pins + "/maps")
        made, value = make_objects(work, pins)
        must("bpftool", "map", "update", "pinned", pins + "/maps/typed", "key", "1", "0", "0", "0",
             "value", *[str(byte) for byte in value])
        must("bpftool", "map", "update", "pinned", pins + "/maps/counters", "key", "1", "0", "0", "0",
             "value", *"1 2 0 0 0 0 0 0".split())
        must("ip", "link", "add", DEVS[0], "type", "veth", "peer", "name", DEVS[1])
        must("ip", "link", "add", DEVS[2], "type", "veth", "peer", "name", DEVS[3])
        must("bpftool", "net", "attach", "xdpdrv", "pinned", pins + "/progs/a_name_longer_than_fifteen",
             "dev", DEVS[0])
        must("bpftool", "net", "attach", "xdpgeneric", "pinned", pins + "/progs/a_name_longer_than_fifteen",
             "dev", DEVS[1])
        prog = json.loads(must("bpftool", "-j", "prog", "show", "pinned",
                               pins + "/progs/a_name_longer_than_fifteen"))
        look(pins, made, {"prog": prog["id"], "tag": prog["tag"], "btf": prog["btf_id"]})
        compare("net show dev " + DEVS[0])
        make_links(pins, work)
        compare_links(pins)
        compare_filters(pins)
        run(pins, work)
        files(pins, work)
        twins(pins, work)
        mistakes(pins)
    finally:
        subprocess.run(["ip", "link", "del", DEVS[0]], capture_output=True)
        subprocess.run(["ip", "link", "del", DEVS[2]], capture_output=True)
        shutil.rmtree(pins, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
    for problem in problems:
        print("PROBLEM: " + problem)
    print("%d outputs compared, %d differ" % (compared, len(problems)))
    sys.exit(1 if problems else 0)


main()
