/* SPDX-License-Identifier: Apache-2.0
 *
 * The running kernel's types, as its BTF has them.
 */
#ifndef EXITSNOOP_KERNEL_BTF_H
#define EXITSNOOP_KERNEL_BTF_H

#include <bpf/btf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct kernel_btf {
	void *bytes;
	size_t size;
	const char *types, *names;
	__u32 types_bytes, names_bytes;
	__u32 *at; /* by ID, from 1 on: the offset in types */
	__u32 count;
};

/* Returns 0 or an errno: EINVAL if it is not what Linux v6.18 calls BTF. */
int kernel_btf_open(struct kernel_btf *kernel);
void kernel_btf_close(struct kernel_btf *kernel);

/* Whether the kernel has anything of that name: a type, a variable, a member or a constant. */
bool kernel_btf_has_name(const struct kernel_btf *kernel, const char *name);

/* Takes a while; call it before all that follows. Returns 0 or an errno: EINVAL for a kind of type that
 * Linux v6.18 does not know.
 */
int kernel_btf_find_types(struct kernel_btf *kernel);

/* IDs are from 1 to count. */
const struct btf_type *kernel_btf_type(const struct kernel_btf *kernel, __u32 id);

/* The name at an offset; "" for a type without a name. */
const char *kernel_btf_name(const struct kernel_btf *kernel, __u32 offset);

/* How many bytes the type takes here; 0 if it is of an unknown kind. */
size_t kernel_btf_bytes(const struct btf_type *type);

/* The ID of the typedef that is named prefix and name together; 0 if there is none. */
__u32 kernel_btf_typedef(const struct kernel_btf *kernel, const char *prefix, const char *name);

#endif
