// SPDX-License-Identifier: Apache-2.0
#include "misses.h"

bool misses_look(struct misses *misses, __u64 missed, __u64 now_ns)
{
	__s64 more = (__s64)(missed - misses->before - misses->settled);

	if (more <= 0) {
		misses->looks = 0;
		return true;
	}
	if (!misses->looks++) {
		misses->since = now_ns;
		misses->least = (__u64)more;
	}
	if ((__u64)more < misses->least)
		misses->least = (__u64)more;
	if (misses->looks < SETTLING_LOOKS || now_ns - misses->since < SETTLING_NS)
		return false;
	misses->settled += misses->least;
	misses->looks = 0;
	return true;
}
