// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "kernel_btf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fstat.h"

#define PATH "/sys/kernel/btf/vmlinux"

/* Older kernels (v6.12) cannot map it: there it is read, a page at a time. */
static int read_all(int fd, char *bytes, size_t size)
{
	while (size) {
		ssize_t part = read(fd, bytes, size);

		if (part <= 0)
			return part ? errno : EINVAL;
		bytes += part;
		size -= (size_t)part;
	}
	return 0;
}

static int map_file(struct kernel_btf *kernel, int fd)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	struct stat status;

	if (exitsnoop_fstat(fd, &status))
		return errno;
	kernel->size = (size_t)status.st_size;
	kernel->bytes = mmap(NULL, kernel->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (kernel->bytes != MAP_FAILED)
		return 0;
	kernel->bytes = mmap(NULL, kernel->size, PROT_READ | PROT_WRITE, anonymous, -1, 0);
	if (kernel->bytes != MAP_FAILED)
		return read_all(fd, kernel->bytes, kernel->size);
	kernel->bytes = NULL;
	return ENOMEM;
}

/* How many bytes follow a type of each kind, and how many more for each of its vlen. */
static const struct {
	bool is_known;
	unsigned char once, each;
} sizes[] = {
	[BTF_KIND_INT] = { true, sizeof(__u32), 0 },
	[BTF_KIND_PTR] = { true, 0, 0 },
	[BTF_KIND_ARRAY] = { true, sizeof(struct btf_array), 0 },
	[BTF_KIND_STRUCT] = { true, 0, sizeof(struct btf_member) },
	[BTF_KIND_UNION] = { true, 0, sizeof(struct btf_member) },
	[BTF_KIND_ENUM] = { true, 0, sizeof(struct btf_enum) },
	[BTF_KIND_FWD] = { true, 0, 0 },
	[BTF_KIND_TYPEDEF] = { true, 0, 0 },
	[BTF_KIND_VOLATILE] = { true, 0, 0 },
	[BTF_KIND_CONST] = { true, 0, 0 },
	[BTF_KIND_RESTRICT] = { true, 0, 0 },
	[BTF_KIND_FUNC] = { true, 0, 0 }, /* its vlen is the linkage */
	[BTF_KIND_FUNC_PROTO] = { true, 0, sizeof(struct btf_param) },
	[BTF_KIND_VAR] = { true, sizeof(struct btf_var), 0 },
	[BTF_KIND_DATASEC] = { true, 0, sizeof(struct btf_var_secinfo) },
	[BTF_KIND_FLOAT] = { true, 0, 0 },
	[BTF_KIND_DECL_TAG] = { true, sizeof(struct btf_decl_tag), 0 },
	[BTF_KIND_TYPE_TAG] = { true, 0, 0 },
	[BTF_KIND_ENUM64] = { true, 0, sizeof(struct btf_enum64) },
};

size_t kernel_btf_bytes(const struct btf_type *type)
{
	const __u16 kind = btf_kind(type);

	if (kind >= sizeof(sizes) / sizeof(*sizes) || !sizes[kind].is_known)
		return 0;
	return sizeof(*type) + sizes[kind].once + (size_t)sizes[kind].each * btf_vlen(type);
}

const struct btf_type *kernel_btf_type(const struct kernel_btf *kernel, __u32 id)
{
	return (const struct btf_type *)(kernel->types + kernel->at[id]);
}

const char *kernel_btf_name(const struct kernel_btf *kernel, __u32 offset)
{
	return offset < kernel->names_bytes ? kernel->names + offset : "";
}

int kernel_btf_find_types(struct kernel_btf *kernel)
{
	const size_t least = sizeof(struct btf_type);
	size_t bytes;

	/* Of what the most types would take, only pages that are written to count. */
	kernel->at = calloc(kernel->types_bytes / least + 1, sizeof(*kernel->at));
	if (!kernel->at)
		return ENOMEM;
	for (size_t at = 0; at < kernel->types_bytes; at += bytes) {
		size_t left = kernel->types_bytes - at;

		bytes = left < least ? 0 : kernel_btf_bytes((const void *)(kernel->types + at));
		if (!bytes || bytes > left)
			return EINVAL;
		kernel->at[++kernel->count] = (__u32)at;
	}
	return 0;
}

static int parse(struct kernel_btf *kernel)
{
	const struct btf_header *header = kernel->bytes;
	size_t rest;

	if (kernel->size < sizeof(*header) || header->magic != BTF_MAGIC ||
	    header->hdr_len > kernel->size)
		return EINVAL;
	rest = kernel->size - header->hdr_len;
	if (header->type_off > rest || header->type_len > rest - header->type_off ||
	    header->str_off > rest || header->str_len > rest - header->str_off ||
	    !header->str_len ||
	    (header->hdr_len | header->type_off | header->type_len) % sizeof(__u32))
		return EINVAL;
	kernel->types = (const char *)kernel->bytes + header->hdr_len + header->type_off;
	kernel->types_bytes = header->type_len;
	kernel->names = (const char *)kernel->bytes + header->hdr_len + header->str_off;
	kernel->names_bytes = header->str_len;
	return kernel->names[kernel->names_bytes - 1] ? EINVAL : 0;
}

int kernel_btf_open(struct kernel_btf *kernel)
{
	int fd = open(PATH, O_RDONLY | O_CLOEXEC);
	int error;

	*kernel = (struct kernel_btf){ 0 };
	if (fd < 0)
		return errno;
	error = map_file(kernel, fd);
	close(fd);
	if (!error)
		error = parse(kernel);
	if (error)
		kernel_btf_close(kernel);
	return error;
}

void kernel_btf_close(struct kernel_btf *kernel)
{
	if (kernel->bytes)
		munmap(kernel->bytes, kernel->size);
	free(kernel->at);
	*kernel = (struct kernel_btf){ 0 };
}

__u32 kernel_btf_typedef(const struct kernel_btf *kernel, const char *prefix, const char *name)
{
	size_t length = strlen(prefix);

	for (__u32 id = 1; id <= kernel->count; id++) {
		const struct btf_type *type = kernel_btf_type(kernel, id);
		const char *found = kernel_btf_name(kernel, type->name_off);

		if (btf_is_typedef(type) && strncmp(found, prefix, length) == 0 &&
		    strcmp(found + length, name) == 0)
			return id;
	}
	return 0;
}

bool kernel_btf_has_name(const struct kernel_btf *kernel, const char *name)
{
	size_t length = strlen(name), left = kernel->names_bytes;
	const char *at = kernel->names, *found;

	/* Each is ended by a NUL, and none is before the first, which is empty. */
	while ((found = memmem(at, left, name, length + 1))) {
		if (found != kernel->names && !found[-1])
			return true;
		at = found + 1;
		left = kernel->names_bytes - (size_t)(at - kernel->names);
	}
	return false;
}
