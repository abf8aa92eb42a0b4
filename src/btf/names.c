/*
 * Which texts of the string section may name what.
 *
 * The kernel's character classes are those of Latin-1, whatever the locale, so letters above 0x7f are
 * fine in an identifier; a dot is too, for compiler-made names like "x.isra.0".
 */
#include "btf/obj.h"

static bool is_letter(u8 ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
	       (ch >= 0xc0 && ch != 0xd7 && ch != 0xf7);
}

static bool is_digit(u8 ch)
{
	return ch >= '0' && ch <= '9';
}

static bool is_printable(u8 ch)
{
	return (ch >= 0x20 && ch <= 0x7e) || ch >= 0xa0;
}

bool btf_is_name_off(const struct btf_obj *btf, u32 off)
{
	return off <= BTF_MAX_NAME_OFFSET && off < btf->hdr.str_len;
}

bool btf_is_identifier(const struct btf_obj *btf, u32 off)
{
	const u8 *text = (const u8 *)btf->strings + off;

	for (u32 i = 0; i <= BTF_NAME_MAX; i++) {
		if (i && !text[i])
			return true;
		if (text[i] != '_' && text[i] != '.' && !is_letter(text[i]) &&
			!(i && is_digit(text[i])))
			return false;
	}
	return !text[BTF_NAME_MAX + 1];
}

bool btf_is_section_name(const struct btf_obj *btf, u32 off)
{
	const u8 *text = (const u8 *)btf->strings + off;

	for (u32 i = 0; i <= BTF_NAME_MAX; i++) {
		if (i && !text[i])
			return true;
		if (!is_printable(text[i]))
			return false;
	}
	return !text[BTF_NAME_MAX + 1];
}
