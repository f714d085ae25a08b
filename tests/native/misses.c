// SPDX-License-Identifier: Apache-2.0
/* misses.c, for AddressSanitizer: for each look on standard input, "MILLISECONDS MISSED", prints whether
 * all is settled, and how much.
 *
 *   misses BEFORE
 */
#include <stdio.h>
#include <stdlib.h>

#include "misses.h"

int main(int count, char **words)
{
	struct misses misses = { .before = count == 2 ? strtoull(words[1], NULL, 10) : 0 };
	unsigned long long now_ms, missed;

	while (scanf("%llu %llu", &now_ms, &missed) == 2) {
		bool settled = misses_look(&misses, missed, now_ms * 1000000);

		printf("%d %llu\n", settled, (unsigned long long)misses.settled);
	}
	return 0;
}
