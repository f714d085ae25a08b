// SPDX-License-Identifier: Apache-2.0
#include "extract.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLAVOR "___" /* what comes after is the object's own: libbpf leaves it out, too */

/* Names to look up often, hashed by their first two bytes. */
struct name {
	const char *text;
	size_t length;
	struct name *next;
};

struct names {
	struct name *first[4096];
};

static struct name **place(struct names *names, const char *text)
{
	unsigned int second = text[0] ? (unsigned char)text[1] : 0;

	return &names->first[((unsigned char)text[0] * 31 + second) % 4096];
}

static bool is_in(struct names *names, const char *text)
{
	for (const struct name *name = *place(names, text); name; name = name->next)
		if (strncmp(name->text, text, name->length) == 0 && !text[name->length])
			return true;
	return false;
}

static int add_name(struct names *names, const char *text)
{
	const char *flavor = strstr(text, FLAVOR);
	struct name **head = place(names, text), *name;

	if (!*text || flavor == text)
		return 0;
	name = malloc(sizeof(*name));
	if (!name)
		return ENOMEM;
	*name = (struct name){ text, flavor ? (size_t)(flavor - text) : strlen(text), *head };
	*head = name;
	return 0;
}

static void forget(struct names *names)
{
	for (size_t i = 0; i < sizeof(names->first) / sizeof(*names->first); i++)
		while (names->first[i]) {
			struct name *name = names->first[i];

			names->first[i] = name->next;
			free(name);
		}
}

struct bytes {
	char *start;
	size_t length, room;
};

static int append(struct bytes *bytes, const void *more, size_t length)
{
	if (length > bytes->room - bytes->length) {
		size_t room = 2 * (bytes->length + length) + 4096;
		char *grown = realloc(bytes->start, room);

		if (!grown)
			return ENOMEM;
		bytes->start = grown;
		bytes->room = room;
	}
	memcpy(bytes->start + bytes->length, more, length);
	bytes->length += length;
	return 0;
}

struct extract {
	const struct kernel_btf *kernel;
	struct names type_names, member_names;
	__u32 *ids;   /* here, by the kernel's; 0: not taken */
	__u32 *taken; /* the kernel's, by those here, which start with 1 */
	__u32 count;
	struct bytes types, names;
};

/* Whether programs may ask for it by its name. */
static bool is_declared(const struct btf_type *type)
{
	return btf_is_composite(type) || btf_is_any_enum(type) || btf_is_typedef(type);
}

static int list_names(struct extract *extract, const struct btf *object)
{
	int error = 0;

	for (__u32 id = 1; id < btf__type_cnt(object) && !error; id++) {
		const struct btf_type *type = btf__type_by_id(object, id);
		const struct btf_member *member = btf_members(type);

		if (is_declared(type))
			error = add_name(&extract->type_names,
					 btf__name_by_offset(object, type->name_off));
		for (int i = 0; btf_is_composite(type) && i < btf_vlen(type) && !error; i++)
			error = add_name(&extract->member_names,
					 btf__name_by_offset(object, member[i].name_off));
	}
	return error;
}

static __u32 take(struct extract *extract, __u32 id)
{
	if (!id || id > extract->kernel->count)
		return 0; /* void */
	if (!extract->ids[id]) {
		extract->taken[++extract->count] = id;
		extract->ids[id] = extract->count;
	}
	return extract->ids[id];
}

static int put_name(struct extract *extract, __u32 *offset)
{
	const char *name = kernel_btf_name(extract->kernel, *offset);

	*offset = *name ? (__u32)extract->names.length : 0;
	return *name ? append(&extract->names, name, strlen(name) + 1) : 0;
}

static bool is_wanted(struct extract *extract, const struct btf_type *type)
{
	return is_in(&extract->type_names, kernel_btf_name(extract->kernel, type->name_off));
}

/* From all structures: one inside another may have no name in the object, or one of its own. */
static int put_members(struct extract *extract, const struct btf_type *type, __u32 *count)
{
	for (int i = 0; i < btf_vlen(type); i++) {
		struct btf_member member = btf_members(type)[i];
		const char *name = kernel_btf_name(extract->kernel, member.name_off);
		int error;

		if (*name && !is_in(&extract->member_names, name))
			continue;
		member.type = take(extract, member.type);
		error = put_name(extract, &member.name_off);
		if (!error)
			error = append(&extract->types, &member, sizeof(member));
		if (error)
			return error;
		++*count;
	}
	return 0;
}

/* A value begins with its name, one of 64 bits as well. */
static int put_values(struct extract *extract, const struct btf_type *type, __u32 *count)
{
	size_t size = btf_is_enum64(type) ? sizeof(struct btf_enum64) : sizeof(struct btf_enum);

	for (int i = 0; is_wanted(extract, type) && i < btf_vlen(type); i++) {
		struct btf_enum64 value;
		int error;

		memcpy(&value, (const char *)(type + 1) + (size_t)i * size, size);
		error = put_name(extract, &value.name_off);
		if (!error)
			error = append(&extract->types, &value, size);
		if (error)
			return error;
		++*count;
	}
	return 0;
}

static int put_rest(struct extract *extract, const struct btf_type *type, __u32 *count)
{
	struct btf_array array;

	if (btf_is_composite(type))
		return put_members(extract, type, count);
	if (btf_is_any_enum(type))
		return put_values(extract, type, count);
	if (!btf_is_array(type))
		return append(&extract->types, type + 1, kernel_btf_bytes(type) - sizeof(*type));
	array = *btf_array(type);
	array.type = take(extract, array.type);
	array.index_type = take(extract, array.index_type);
	return append(&extract->types, &array, sizeof(array));
}

/* No offset or size depends on what a pointer points to. */
static int put_type(struct extract *extract, __u32 id)
{
	const struct btf_type *type = kernel_btf_type(extract->kernel, id);
	size_t at = extract->types.length;
	struct btf_type here = *type;
	__u32 count = 0;
	int error = put_name(extract, &here.name_off);

	if (btf_is_ptr(type))
		here.type = 0;
	else if (btf_is_mod(type) || btf_is_typedef(type))
		here.type = take(extract, type->type);
	if (!error)
		error = append(&extract->types, &here, sizeof(here));
	if (!error)
		error = put_rest(extract, type, &count);
	if (error || !(btf_is_composite(type) || btf_is_any_enum(type)))
		return error;
	here.info = (here.info & ~0xffffU) | count;
	memcpy(extract->types.start + at, &here, sizeof(here));
	return 0;
}

static int put_types(struct extract *extract)
{
	const struct kernel_btf *kernel = extract->kernel;
	int error = append(&extract->names, "", 1);

	for (__u32 id = 1; id <= kernel->count; id++) {
		const struct btf_type *type = kernel_btf_type(kernel, id);

		if (is_declared(type) && type->name_off && is_wanted(extract, type))
			take(extract, id);
	}
	for (__u32 id = 1; id <= extract->count && !error; id++) /* which takes more */
		error = put_type(extract, extract->taken[id]);
	return error;
}

static int write_all(int fd, const void *bytes, size_t size)
{
	ssize_t written = write(fd, bytes, size);

	if (written < 0)
		return errno;
	return (size_t)written == size ? 0 : EIO; /* memory takes all, or nothing */
}

static int write_out(const struct extract *extract, int fd)
{
	struct btf_header header = {
		.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(header),
		.type_len = (__u32)extract->types.length,
		.str_off = (__u32)extract->types.length,
		.str_len = (__u32)extract->names.length,
	};
	int error = write_all(fd, &header, sizeof(header));

	if (!error)
		error = write_all(fd, extract->types.start, extract->types.length);
	return error ? error : write_all(fd, extract->names.start, extract->names.length);
}

int extract_types(const struct kernel_btf *kernel, const struct btf *object, int fd)
{
	struct extract *extract = calloc(1, sizeof(*extract));
	int error = ENOMEM;

	if (!extract)
		return error;
	extract->kernel = kernel;
	extract->ids = calloc(kernel->count + 1, sizeof(*extract->ids));
	extract->taken = calloc(kernel->count + 1, sizeof(*extract->taken));
	if (extract->ids && extract->taken)
		error = list_names(extract, object);
	if (!error)
		error = put_types(extract);
	if (!error)
		error = write_out(extract, fd);
	forget(&extract->type_names);
	forget(&extract->member_names);
	free(extract->ids);
	free(extract->taken);
	free(extract->types.start);
	free(extract->names.start);
	free(extract);
	return error;
}
