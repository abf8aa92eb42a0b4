/* What the store and a user's filter both know: a request, as the filter sees and may change it. */
#ifndef REQUEST_H
#define REQUEST_H

enum { OP_GET, OP_SET, OP_CNT };
enum { ALLOW, DENY };

struct request {
	unsigned int op;
	unsigned int len; /* of value */
	char key[32];
	char value[64];
};

#endif
