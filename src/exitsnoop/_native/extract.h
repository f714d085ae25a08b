/* SPDX-License-Identifier: Apache-2.0
 *
 * What a BPF object needs to know of the running kernel's types. libbpf would parse all of them, copy
 * them, and search them for each type of the object: that took more than the rest of loading it.
 */
#ifndef EXITSNOOP_EXTRACT_H
#define EXITSNOOP_EXTRACT_H

#include "kernel_btf.h"

/* Writes BTF to a file: the kernel's types that have the name of one of the object's, and the types that
 * these are made of. Each has only the members that the object names, but keeps its size. The IDs are not
 * the kernel's. Returns 0 or an errno.
 */
int extract_types(const struct kernel_btf *kernel, const struct btf *object, int fd);

#endif
