/*
 * Reading CSV (RFC 4180): fields by the names in the header, so that columns may be added.
 */
#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 64 };

static const char *const type_names[] = {"unspec", "socket_filter", "kprobe", "sched_cls",
	"sched_act", "tracepoint", "xdp", "perf_event", "cgroup_skb", "cgroup_sock", "lwt_in",
	"lwt_out", "lwt_xmit", "sock_ops", "sk_skb", "cgroup_device", "sk_msg", "raw_tracepoint",
	"cgroup_sock_addr", "lwt_seg6local", "lirc_mode2", "sk_reuseport", "flow_dissector",
	"cgroup_sysctl", "raw_tracepoint_writable", "cgroup_sockopt", "tracing", "struct_ops",
	"ext", "lsm", "sk_lookup", "syscall", "netfilter"};

/* Ends the field at *at with a NUL, undoing quotes in place; *at moves on. True: more in this line. */
static bool next_field(char **at, char **ret_field)
{
	char *in = *at, *out = *at, end;

	*ret_field = out;
	if (*in == '"') {
		for (in++; *in && (*in != '"' || *++in == '"'); in++)
			*out++ = *in;
	} else {
		while (*in && *in != ',' && *in != '\n' && *in != '\r')
			*out++ = *in++;
	}
	while (*in == '\r')
		in++;
	end = *in;
	*at = end ? in + 1 : in;
	*out = 0;
	return end == ',';
}

static u32 split(char **at, char *fields[FIELDS_MAX])
{
	u32 cnt = 0;

	while (cnt < FIELDS_MAX && next_field(at, &fields[cnt++]))
		;
	return cnt;
}

static u32 type_by_name(const char *name)
{
	for (u32 i = 0; i < ARRAY_SIZE(type_names); i++)
		if (!strcmp(type_names[i], name))
			return i;
	return ~0u;
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;

	if (!file)
		return NULL;
	len = getdelim(&text, &cap, 0, file);
	fclose(file);
	if (len < 0) {
		free(text);
		errno = EIO;
		return NULL;
	}
	return text;
}

enum { OBJECT, PROGRAM, TYPE, ATTACH, VERDICT, ERRNO, INSNS, TIME, ENV, EXPECTED, MSG, COLUMN_CNT };

static int find_columns(char **at, u32 ret_columns[COLUMN_CNT])
{
	static const char *const names[COLUMN_CNT] = {"object", "program", "type", "attach_type",
		"kernel_verdict", "errno", "insns_processed", "time_us", "env", "expected", "msg"};
	char *fields[FIELDS_MAX];
	u32 cnt = split(at, fields);

	for (u32 c = 0; c < COLUMN_CNT; c++) {
		u32 f = 0;

		while (f < cnt && strcmp(fields[f], names[c]))
			f++;
		if (f == cnt)
			return -EINVAL;
		ret_columns[c] = f;
	}
	return 0;
}

static void fill_row(struct row *row, char *const fields[], const u32 col[COLUMN_CNT])
{
	*row = (struct row){
		.object = fields[col[OBJECT]],
		.program = fields[col[PROGRAM]],
		.type = fields[col[TYPE]],
		.prog_type = type_by_name(fields[col[TYPE]]),
		.attach_type = strtoul(fields[col[ATTACH]], NULL, 10),
		.is_accepted = !strcmp(fields[col[VERDICT]], "accepted"),
		.err = atoi(fields[col[ERRNO]]),
		.insns_processed = atoll(fields[col[INSNS]]),
		.time_us = atoll(fields[col[TIME]]),
		.env = fields[col[ENV]],
		.expected = fields[col[EXPECTED]],
		.msg = fields[col[MSG]],
	};
}

int table_read(const char *path, struct table *ret)
{
	struct table table = {.text = read_file(path)};
	u32 columns[COLUMN_CNT], cap = 0;
	char *at = table.text, *fields[FIELDS_MAX];
	int err = at ? find_columns(&at, columns) : -errno;

	while (!err && *at) {
		if (table.cnt == cap) {
			struct row *rows;

			cap = cap ? 2 * cap : 1024;
			rows = realloc(table.rows, cap * sizeof(*rows));
			if (!rows) {
				err = -ENOMEM;
				break;
			}
			table.rows = rows;
		}
		memset(fields, 0, sizeof(fields));
		for (u32 f = split(&at, fields); f < FIELDS_MAX; f++)
			fields[f] = (char *)"";
		fill_row(&table.rows[table.cnt++], fields, columns);
	}
	if (err)
		table_done(&table);
	else
		*ret = table;
	return err;
}

void table_done(struct table *table)
{
	free(table->rows);
	free(table->text);
}
