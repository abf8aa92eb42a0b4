/*
 * Devices and the XDP hook, with C functions in the place of programs: what each action does to a frame,
 * where it goes, what is counted; captures in and out; the rules for attaching.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/link.h"
#include "core/prog.h"
#include "core/xdp.h"
#include "net/capture.h"
#include "net/net.h"

/* The action that the "program" takes; data_end moves by grow bytes before. */
struct script {
	struct prog prog;
	u32 action;
	u32 to_ifindex;
	int grow;
};

static const struct prog_type xdp_type = {.type = BPF_PROG_TYPE_XDP, .name = "xdp"};
static const struct prog_type filter_type = {
	.type = BPF_PROG_TYPE_SOCKET_FILTER, .name = "socket_filter"};

static u64 play(struct prog *prog, void *ctx, struct run *run)
{
	struct script *script = container_of(prog, struct script, prog);
	struct xdp_buff *xdp = ctx;

	run->redirect.ifindex = script->to_ifindex;
	xdp->data_end += script->grow;
	return script->action;
}

static void free_script(struct obj *obj)
{
	/* part of the world */
}

static const struct obj_ops script_ops = {.free = free_script};

struct world {
	struct skep inst;
	struct net *net;
	char dir[64];
	struct buf err;
	struct script scripts[8];
	u32 script_cnt;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/skep-net-XXXXXX");
	if (!w || !mkdtemp(w->dir) || inst_init(&w->inst, &(struct inst_options){.cpu_cnt = 1}))
		return -1;
	w->inst.exec = play;
	*state = w;
	return net_of(&w->inst, &w->net);
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[128];

	net_free(w->net);
	inst_done(&w->inst);
	buf_done(&w->err);
	snprintf(command, sizeof(command), "rm -r %s", w->dir);
	if (system(command))
		return -1;
	free(w);
	return 0;
}

static struct script *script(struct world *w, u32 action)
{
	struct script *s = &w->scripts[w->script_cnt++];

	assert_true(w->script_cnt <= ARRAY_SIZE(w->scripts));
	s->action = action;
	s->prog.type = &xdp_type;
	obj_init(&s->prog.obj, &w->inst, OBJ_PROG, &script_ops);
	return s;
}

static u32 add_dev(struct world *w, const char *fmt, ...)
{
	char spec[512];
	u32 ifindex = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(spec, sizeof(spec), fmt, ap);
	va_end(ap);
	if (net_dev_add(w->net, spec, &w->err, &ifindex))
		fail_msg("%s: %s", spec, buf_text(&w->err));
	return ifindex;
}

static void attach(struct world *w, u32 ifindex, struct script *s)
{
	assert_int_equal(net_xdp_attach(w->net, ifindex, &s->prog, 0, NULL), 0);
}

static void write_capture(struct world *w, const char *name, u32 cnt)
{
	struct capture capture;
	u8 data[60] = {0};
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	assert_int_equal(net_capture_open(path, &capture), 0);
	for (u32 i = 0; i < cnt; i++) {
		struct net_frame frame = {data, sizeof(data), 0, 1000000000123456789ull + i};

		data[0] = i;
		assert_int_equal(net_capture_write(&capture, &frame), 0);
	}
	net_capture_close(&capture);
}

static void run_all(struct world *w)
{
	while (!net_is_done(w->net))
		assert_true(net_step(w->net, 0, 1000, &w->err) >= 0);
	assert_int_equal(net_flush(w->net, &w->err), 0);
}

static struct net_stats stats(struct world *w, u32 ifindex)
{
	struct net_dev_info info;

	assert_int_equal(net_dev_info(w->net, ifindex, &info), 0);
	return info.stats;
}

static void frames_without_a_program_pass(void **state)
{
	struct world *w = *state;
	u32 dev;

	write_capture(w, "in.pcap", 5);
	dev = add_dev(w, "pcap:%s/in.pcap", w->dir);
	run_all(w);
	assert_int_equal(stats(w, dev).rx_cnt, 5);
	assert_int_equal(stats(w, dev).rx_len, 300);
	assert_int_equal(stats(w, dev).passed_cnt, 5);
	assert_int_equal(stats(w, dev).action[XDP_PASS], 0); /* nobody decided */
}

static void each_action_is_counted_and_unknown_codes_are_aborted(void **state)
{
	static const u32 actions[][2] = {{XDP_ABORTED, XDP_ABORTED}, {XDP_DROP, XDP_DROP},
		{XDP_PASS, XDP_PASS}, {XDP_TX, XDP_TX}, {5, XDP_ABORTED},
		{0xffffffff, XDP_ABORTED}};
	struct world *w = *state;

	write_capture(w, "in.pcap", 3);
	for (u32 i = 0; i < ARRAY_SIZE(actions); i++) {
		struct script *s = script(w, actions[i][0]);
		u32 dev = add_dev(w, "pcap:%s/in.pcap", w->dir);

		attach(w, dev, s);
		run_all(w);
		for (u32 action = 0; action < NET_ACTION_CNT; action++)
			assert_int_equal(
				stats(w, dev).action[action], action == actions[i][1] ? 3 : 0);
		assert_int_equal(stats(w, dev).tx_cnt, actions[i][1] == XDP_TX ? 3 : 0);
		assert_int_equal(stats(w, dev).passed_cnt, actions[i][1] == XDP_PASS ? 3 : 0);
		assert_int_equal(net_dev_del(w->net, dev), 0);
	}
}

static void redirect_goes_out_of_the_other_device(void **state)
{
	struct world *w = *state;
	struct script *s = script(w, XDP_REDIRECT);
	u32 in, out;

	write_capture(w, "in.pcap", 4);
	in = add_dev(w, "pcap:%s/in.pcap", w->dir);
	out = add_dev(w, "pcap:,%s/out.pcap", w->dir);
	s->to_ifindex = out;
	attach(w, in, s);
	run_all(w);
	assert_int_equal(stats(w, in).action[XDP_REDIRECT], 4);
	assert_int_equal(stats(w, in).redirect_failed, 0);
	assert_int_equal(stats(w, out).tx_cnt, 4);
}

static void redirect_to_nowhere_is_a_failure(void **state)
{
	struct world *w = *state;
	struct script *s = script(w, XDP_REDIRECT);
	u32 in;

	write_capture(w, "in.pcap", 4);
	in = add_dev(w, "pcap:%s/in.pcap", w->dir);
	s->to_ifindex = 99;
	attach(w, in, s);
	run_all(w);
	assert_int_equal(stats(w, in).redirect_failed, 4);
}

static void joined_devices_pass_both_ways_through_their_programs(void **state)
{
	struct world *w = *state;
	struct script *drop = script(w, XDP_DROP), *pass = script(w, XDP_PASS);
	u32 a, b;

	write_capture(w, "a.pcap", 3);
	write_capture(w, "b.pcap", 7);
	a = add_dev(w, "a=pcap:%s/a.pcap,%s/a-out.pcap", w->dir, w->dir);
	b = add_dev(w, "b=pcap:%s/b.pcap,%s/b-out.pcap", w->dir, w->dir);
	assert_int_equal(net_dev_join(w->net, a, b), 0);
	assert_int_equal(net_dev_join(w->net, a, b), -EBUSY);
	assert_int_equal(net_dev_join(w->net, a, 99), -ENODEV);
	assert_int_equal(net_dev_join(w->net, a, a), -EINVAL);
	attach(w, a, pass);
	attach(w, b, drop);
	run_all(w);
	assert_int_equal(stats(w, b).tx_cnt, 3);
	assert_int_equal(stats(w, a).tx_cnt, 0);
	assert_int_equal(stats(w, a).passed_cnt, 0);
	assert_int_equal(stats(w, b).action[XDP_DROP], 7);
}

static void veth_ends_receive_what_the_other_sends(void **state)
{
	struct world *w = *state;
	struct script *to_a = script(w, XDP_REDIRECT), *count = script(w, XDP_DROP);
	u32 in, a, b;

	write_capture(w, "in.pcap", 9);
	in = add_dev(w, "pcap:%s/in.pcap", w->dir);
	a = add_dev(w, "veth:left,right");
	b = net_dev_index(w->net, "right");
	assert_int_equal(net_dev_index(w->net, "left"), a);
	to_a->to_ifindex = a;
	attach(w, in, to_a);
	attach(w, b, count);
	run_all(w);
	assert_int_equal(stats(w, a).tx_cnt, 9);
	assert_int_equal(stats(w, b).rx_cnt, 9);
	assert_int_equal(stats(w, b).action[XDP_DROP], 9);
	assert_int_equal(net_dev_del(w->net, b), 0);
	assert_int_equal(net_dev_index(w->net, "left"), 0); /* both ends are gone */
}

/* What the capture format keeps: bytes, nanoseconds, and the bytes a program added. */
static void output_is(struct world *w, const char *name, int grow)
{
	struct script *s = script(w, XDP_PASS);
	u32 dev;
	struct net_stats st;

	s->grow = grow;
	write_capture(w, "in.pcapng", 2);
	dev = add_dev(w, "pcap:%s/in.pcapng,%s/%s", w->dir, w->dir, name);
	attach(w, dev, s);
	run_all(w);
	assert_int_equal(net_dev_del(w->net, dev), 0);
	w->inst.clock = INST_CLOCK_REPLAY;
	dev = add_dev(w, "pcap:%s/%s", w->dir, name);
	run_all(w);
	w->inst.clock = INST_CLOCK_REAL;
	st = stats(w, dev);
	assert_int_equal(st.rx_cnt, 2);
	assert_int_equal(st.rx_len, 2 * (60 + grow));
	assert_true(w->inst.replay_ns == 1000000000123456790ull);
	assert_int_equal(net_dev_del(w->net, dev), 0);
}

static void captures_keep_bytes_and_nanoseconds(void **state)
{
	output_is(*state, "out.pcap", 0);
	output_is(*state, "out.pcap", 5);
	output_is(*state, "out.pcapng", 0);
	output_is(*state, "out.pcapng", -7);
}

static void cut_capture_gives_its_whole_frames_and_a_report(void **state)
{
	struct world *w = *state;
	char path[128];
	u32 dev;
	int res;

	write_capture(w, "cut.pcap", 10);
	snprintf(path, sizeof(path), "%s/cut.pcap", w->dir);
	assert_int_equal(truncate(path, 24 + 9 * 76 + 40), 0);
	dev = add_dev(w, "pcap:%s", path);
	res = net_step(w->net, 0, 1000, &w->err);
	assert_int_equal(res, -EIO);
	assert_non_null(strstr(buf_text(&w->err), "after 9 whole frames: truncated dump file"));
	assert_int_equal(stats(w, dev).rx_cnt, 9);
	assert_true(net_is_done(w->net));
}

static void wrong_specs_say_what_is_wrong(void **state)
{
	static const struct {
		const char *spec;
		int res;
		const char *text;
	} cases[] = {
		{"", -EINVAL, "unknown kind of device in ''"},
		{"nosuch:x", -EINVAL, "kinds are pcap:IN[,OUT], tap:NAME, packet:IFACE, veth:A,B"},
		{"pcap:", -EINVAL, "write pcap:IN or pcap:IN,OUT"},
		{"pcap:/nonexistent", -ENOENT, "No such file"},
		{"pcap:/etc/passwd", -EINVAL, "unknown file format"},
		{"veth:a", -EINVAL, "write veth:A,B"},
		{"veth:a,a", -EEXIST, "a device named 'a' exists"},
		{"veth:a,b/c", -EINVAL, "is not a device name"},
		{"packet:", -EINVAL, "write packet:IFACE"},
		{"packet:nosuch0", -ENODEV, "no such interface"},
		{"tap:", -EINVAL, "write tap:NAME"},
		{"tap:name-that-is-too-long", -EINVAL, "write tap:NAME"},
		{"a name=veth:a,b", -EINVAL, "is not a device name"},
	};
	struct world *w = *state;
	u32 ifindex = 7;

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		buf_reset(&w->err);
		assert_int_equal(
			net_dev_add(w->net, cases[i].spec, &w->err, &ifindex), cases[i].res);
		if (!strstr(buf_text(&w->err), cases[i].text))
			fail_msg("%s: %s", cases[i].spec, buf_text(&w->err));
	}
	assert_int_equal(ifindex, 7);
	assert_int_equal(net_dev_next(w->net, 0), 0); /* nothing was left behind */
}

static void attaching_follows_linux(void **state)
{
	struct world *w = *state;
	struct script *one = script(w, XDP_PASS), *two = script(w, XDP_DROP), *wrong = script(w, 0);
	u32 dev = add_dev(w, "veth:a,b");
	struct link *link;

	wrong->prog.type = &filter_type;
	assert_int_equal(net_xdp_attach(w->net, 99, &one->prog, 0, NULL), -ENODEV);
	assert_int_equal(net_xdp_attach(w->net, dev, &wrong->prog, 0, NULL), -EINVAL);
	assert_int_equal(net_xdp_attach(w->net, dev, &one->prog, 1u << 31, NULL), -EINVAL);
	assert_int_equal(net_xdp_attach(w->net, dev, &one->prog,
				 XDP_FLAGS_SKB_MODE | XDP_FLAGS_DRV_MODE, NULL),
		-EINVAL);
	attach(w, dev, one);
	assert_int_equal(
		net_xdp_attach(w->net, dev, &two->prog, XDP_FLAGS_UPDATE_IF_NOEXIST, NULL), -EBUSY);
	assert_int_equal(
		net_xdp_attach(w->net, dev, &two->prog, XDP_FLAGS_SKB_MODE, NULL), -EEXIST);
	assert_int_equal(
		net_xdp_attach(w->net, dev, &two->prog, XDP_FLAGS_REPLACE, &two->prog), -EEXIST);
	assert_int_equal(net_xdp_attach(w->net, dev, &two->prog, XDP_FLAGS_REPLACE, &one->prog), 0);
	assert_int_equal(net_xdp_link(w->net, dev, &one->prog, 0, &link), -EBUSY);
	assert_int_equal(net_xdp_attach(w->net, dev, NULL, 0, NULL), 0);
	assert_int_equal(two->prog.obj.refs, 1);

	assert_int_equal(net_xdp_link(w->net, dev, &one->prog, 0, &link), 0);
	assert_int_equal(net_xdp_attach(w->net, dev, &two->prog, 0, NULL), -EBUSY);
	assert_int_equal(link->ops->update(link, &two->prog, &two->prog, 0), -EPERM);
	assert_int_equal(link->ops->update(link, &two->prog, &one->prog, 0), 0);
	assert_int_equal(one->prog.obj.refs, 1);
	assert_int_equal(two->prog.obj.refs, 3); /* the test, the link, the device */
	link_detach(link);
	assert_int_equal(link->ops->update(link, &one->prog, NULL, 0), -ENOLINK);
	assert_int_equal(two->prog.obj.refs, 2);
	obj_put(&link->obj);
	assert_int_equal(two->prog.obj.refs, 1);
	attach(w, dev, one); /* the device is free again */
}

static void test_runs_may_name_a_device(void **state)
{
	struct world *w = *state;
	u32 dev = add_dev(w, "veth:a,b");

	assert_int_equal(w->inst.check_rxq(&w->inst, dev, 0), 0);
	assert_int_equal(w->inst.check_rxq(&w->inst, dev, 1), -EINVAL);
	assert_int_equal(w->inst.check_rxq(&w->inst, 99, 0), -ENODEV);
}

static void every_failing_allocation_is_enomem(void **state)
{
	struct world *w = *state;
	u32 ifindex;
	int res = -ENOMEM;

	for (int nth = 1; res; nth++) {
		buf_reset(&w->err);
		mem_fail_at(nth);
		res = net_dev_add(w->net, "veth:a,b", &w->err, &ifindex);
		mem_fail_at(0);
		if (res) {
			assert_int_equal(res, -ENOMEM);
			assert_int_equal(net_dev_next(w->net, 0), 0);
		}
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(frames_without_a_program_pass),
		CASE(each_action_is_counted_and_unknown_codes_are_aborted),
		CASE(redirect_goes_out_of_the_other_device),
		CASE(redirect_to_nowhere_is_a_failure),
		CASE(joined_devices_pass_both_ways_through_their_programs),
		CASE(veth_ends_receive_what_the_other_sends),
		CASE(captures_keep_bytes_and_nanoseconds),
		CASE(cut_capture_gives_its_whole_frames_and_a_report),
		CASE(wrong_specs_say_what_is_wrong),
		CASE(attaching_follows_linux),
		CASE(test_runs_may_name_a_device),
		CASE(every_failing_allocation_is_enomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
