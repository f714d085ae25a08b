// SPDX-License-Identifier: Apache-2.0
/* kernel_btf.c and extract.c, for AddressSanitizer.
 *
 *   types OBJECT OUTPUT
 *
 * Writes to OUTPUT what the BPF object OBJECT needs to know of the kernel's types, and prints whether it
 * has two names. Exits with 1 if its types cannot be read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "extract.h"

int main(int count, char **words)
{
	struct kernel_btf kernel;
	struct btf *object = count == 3 ? btf__parse(words[1], NULL) : NULL;
	int fd = object ? open(words[2], O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
	int error;

	if (fd < 0) {
		fputs("types: OBJECT or OUTPUT cannot be opened\n", stderr);
		return 2;
	}
	error = kernel_btf_open(&kernel);
	if (!error) {
		printf("%d%d\n", kernel_btf_has_name(&kernel, "sched_process_exit"),
		       kernel_btf_has_name(&kernel, "btf_trace_sched_process_exit"));
		error = kernel_btf_find_types(&kernel);
		if (!error)
			error = extract_types(&kernel, object, fd);
		printf("%u\n", kernel_btf_typedef(&kernel, "btf_trace_", "sched_process_exit"));
		kernel_btf_close(&kernel);
	}
	btf__free(object);
	close(fd);
	if (error)
		printf("%s\n", strerror(error));
	return !!error;
}
