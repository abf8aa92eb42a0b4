/*
 * Which licences let a program use the helpers marked for the GPL. Source: license_is_gpl_compatible of Linux.
 */
#include <string.h>

#include "core/prog.h"

bool prog_license_is_gpl(const char *license)
{
	static const char *const compatible[] = {"GPL", "GPL v2", "GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"};

	for (size_t i = 0; i < ARRAY_SIZE(compatible); i++)
		if (!strcmp(license, compatible[i]))
			return true;
	return false;
}
