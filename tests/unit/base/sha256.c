/*
 * SHA-256 against the examples of FIPS 180-4 and the lengths around a block's end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/sha256.h"

static void digest_is(const char *text, size_t len, const char *hex)
{
	u8 digest[SHA256_LEN];
	char got[2 * SHA256_LEN + 1];

	sha256(text, len, digest);
	for (int i = 0; i < SHA256_LEN; i++)
		sprintf(got + 2 * i, "%02x", digest[i]);
	assert_string_equal(got, hex);
}

static void known_digests(void **state)
{
	char many_a[1000];

	memset(many_a, 'a', sizeof(many_a));
	digest_is("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_is("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_is("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	digest_is(many_a, 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
	digest_is(many_a, 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
	digest_is(many_a, 1000, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known_digests)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
