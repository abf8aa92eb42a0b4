/*
 * Types for the differential test of BTF: every kind clang makes, in the shapes programs have.
 * Compiled only for its BTF.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define TAG(text)      __attribute__((btf_type_tag(text)))
#define DECL_TAG(text) __attribute__((btf_decl_tag(text)))

enum colour { RED, GREEN = 7, BLUE = -3 };
enum wide { SMALL = 1, LARGE = 0x123456789abcdefULL };

struct forward;

struct bits {
	u32 a : 3;
	u32 b : 11;
	int c : 18;
	u64 d : 40;
	enum colour e : 4;
	_Bool f : 1;
	u8 tail;
};

struct bpf_spin_lock {
	u32 val;
};

struct object {
	u64 x;
	struct object *next;
};

struct node {
	struct node *left, *right;
	const struct forward *elsewhere;
	union {
		u32 word;
		u8 bytes[4];
		struct {
			unsigned short low, high;
		};
	};
	struct bits bits[2][3];
	enum wide wide;
	double real;
	float grid[4];
	int (*compare)(const struct node *, const struct node *restrict, ...);
	void *volatile *anything;
	struct object TAG("kptr") * owned;
	struct bpf_spin_lock lock;
};

struct text {
	u32 len;
	char bytes[] DECL_TAG("flexible");
};

struct nested {
	struct {
		struct node node;
		__int128 huge;
	} inner DECL_TAG("inner");
	long long list[0];
};

volatile const int number = 5;
static u64 counters[8];
struct bits global_bits DECL_TAG("global");
struct object *head;
struct text *last;
const char word[] = "text";

typedef int (*callback_t)(struct nested *arg, void *ctx);

__attribute__((noinline)) int visit(struct nested *arg DECL_TAG("arg"), callback_t cb)
{
	return arg->inner.node.word + cb(arg, &counters) + number + word[global_bits.a];
}

static __attribute__((noinline)) int count(struct nested *arg, void *ctx)
{
	return ((u64 *)ctx)[arg->inner.node.wide == LARGE] + arg->inner.node.bits[1][2].e;
}

int run(struct nested *arg)
{
	counters[0]++;
	head = arg->inner.node.owned;
	last = (void *)head;
	return visit(arg, count);
}
