/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends a program of the tests when a call fails.
 */
#ifndef EXITSNOOP_TESTS_CHECK_H
#define EXITSNOOP_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			perror(#condition);                                                        \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#endif
