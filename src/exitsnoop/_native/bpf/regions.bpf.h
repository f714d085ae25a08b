/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The mappings of the process that runs. The kernel is not asked (bpf_find_vma() came in v5.17, and with
 * interrupts off it finds one for each event): its tree of mappings is searched as the kernel does it.
 *
 * No lock is held. Other threads may change the tree meanwhile: what is found must hold the address, and
 * must be the same once its file has been read.
 */
#ifndef EXITSNOOP_REGIONS_BPF_H
#define EXITSNOOP_REGIONS_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "mapping_types.bpf.h"
#include "paths.bpf.h"

#define TREE_LEVELS                                                                                \
	5 /* a maple tree of that many has room for more mappings than a process may have */
#define OLD_LEVELS 40	/* the same, of a red-black tree */
#define NODE_BYTES 256	/* and they are aligned to that */
#define LEAF 1		/* enum maple_type */
#define WITH_GAPS 3	/* maple_arange_64; any other has maple_range_64 */
#define MOST_LOOKUPS 48 /* for each crash */
#define KNOWN 64	/* room for them: a power of two */
#define PAGE_SHIFT 12

/* include/linux/mm.h and include/linux/fs.h */
#define VM_READ 0x1
#define VM_WRITE 0x2
#define VM_EXEC 0x4
#define VM_HUGETLB 0x400000
#define FMODE_BACKING 0x1000000

_Static_assert(sizeof(struct crash_frame) == sizeof(struct bpf_stack_build_id),
	       "as the kernel has it");
_Static_assert(sizeof(struct crash_site) <= sizeof(struct exec_image),
	       "reader.c takes no larger note");

struct range {
	__u64 start;
	__u64 end;
};

struct crash_buffer {
	struct crash_site site;
	struct path_walk walk;
	char node[NODE_BYTES];
	struct range known[KNOWN]; /* the mappings that were found, and what else was looked up */
	struct range last;	   /* of these, where the last address was */
	__u32 lookups;
	__u32 paths_end;
};

/* Too big for the stack. It is used with interrupts off, so by one task at a time on each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct crash_buffer);
	__uint(max_entries, 1);
} crash_scratch SEC(".maps");

static inline struct crash_buffer *crash_scratch_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&crash_scratch, &zero);
}

/* The entry of a node of the maple tree below which an address is. A pivot is the last address of a slot;
 * behind the last one that is used there may be a 0.
 */
static inline __u64 entry_below(struct crash_buffer *buffer, __u64 node, bool with_gaps,
				__u64 address)
{
	__u32 pivots_at = with_gaps ? bpf_core_field_offset(struct maple_arange_64, pivot)
				    : bpf_core_field_offset(struct maple_range_64, pivot);
	__u32 slots_at = with_gaps ? bpf_core_field_offset(struct maple_arange_64, slot)
				   : bpf_core_field_offset(struct maple_range_64, slot);
	__u32 pivots = with_gaps ? 9 : 15, slot = 0;

	if (bpf_probe_read_kernel(buffer->node, NODE_BYTES, (void *)node))
		return 0;
	for (__u32 i = 0; i < 15; i++) {
		__u32 at = (pivots_at + i * sizeof(__u64)) & (NODE_BYTES - 8);
		__u64 pivot = *(__u64 *)(buffer->node + at);

		if (i >= pivots || pivot >= address || (i && !pivot))
			break;
		slot++;
	}
	return *(__u64 *)(buffer->node + ((slots_at + slot * sizeof(__u64)) & (NODE_BYTES - 8)));
}

static inline struct vm_area_struct *mapping_in_maple_tree(struct crash_buffer *buffer,
							   struct mm_struct *mm, __u64 address)
{
	__u64 entry = (__u64)BPF_CORE_READ(mm, mm_mt.ma_root);

	if ((entry & 3) != 2) /* xa_is_node(): else there is no more than one mapping */
		return NULL;
	for (int level = 0; level < TREE_LEVELS && entry > 4096; level++) {
		__u32 kind = entry >> 3 & 0xf;

		entry = entry_below(buffer, entry & ~(NODE_BYTES - 1ULL), kind == WITH_GAPS,
				    address);
		if (kind == LEAF)
			return (void *)entry;
	}
	return NULL;
}

static inline struct vm_area_struct *mapping_in_old_tree(struct mm_struct *mm, __u64 address)
{
	struct mm_struct___before_6_1 *old = (void *)mm;
	struct rb_node *node = BPF_CORE_READ(old, mm_rb.rb_node);
	__u64 offset = bpf_core_field_offset(struct vm_area_struct___before_6_1, vm_rb);

	for (int level = 0; level < OLD_LEVELS && node; level++) {
		struct vm_area_struct *mapping = (void *)((char *)node - offset);

		if (address >= BPF_CORE_READ(mapping, vm_end))
			node = BPF_CORE_READ(node, rb_right);
		else if (address < BPF_CORE_READ(mapping, vm_start))
			node = BPF_CORE_READ(node, rb_left);
		else
			return mapping;
	}
	return NULL;
}

static inline void read_file(struct crash_buffer *buffer, struct crash_region *region,
			     struct file *file)
{
	struct path *path = __builtin_preserve_access_index(&file->f_path);
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u32 from = buffer->paths_end;

	region->inode = BPF_CORE_READ(inode, i_ino);
	region->file_bytes = BPF_CORE_READ(inode, i_size);
	region->device = BPF_CORE_READ(inode, i_sb, s_dev);
	region->file_system = BPF_CORE_READ(inode, i_sb, s_magic);
	region->flags |= REGION_HAS_FILE;
	if (from > SITE_PATH_BYTES - NAME_BYTES)
		return;
	if (bpf_core_field_exists(struct backing_file, user_path) &&
	    BPF_CORE_READ(file, f_mode) & FMODE_BACKING)
		path = __builtin_preserve_access_index(&((struct backing_file *)file)->user_path);
	region->path_at = from;
	buffer->paths_end = read_path(buffer->site.paths, from, SITE_PATH_BYTES, path,
				      &buffer->walk, FILE_LEVELS);
	region->path_bytes = buffer->paths_end - from;
}

/* Adds the mapping that an address is in to the regions of the site, if it has code, or if it is `wanted`:
 * these have paths. Global: so the verifier looks at it once, not for each call.
 */
__noinline int add_region(__u64 address, __u32 wanted)
{
	struct crash_buffer *buffer = crash_scratch_here();
	struct task_struct *task = (void *)bpf_get_current_task();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct vm_area_struct *mapping;
	struct crash_region *region;
	struct range *range;
	struct file *file;
	__u64 flags;
	__u32 which, lookup;

	if (!buffer)
		return 0;
	lookup = buffer->lookups;
	which = buffer->site.regions_count;
	if (lookup >= MOST_LOOKUPS || which >= MAX_REGIONS)
		return 0;
	buffer->lookups = lookup + 1;
	FORGET_BOUNDS(lookup, KNOWN);
	FORGET_BOUNDS(which, MAX_REGIONS);
	range = buffer->known + lookup;
	range->start = range->end = address;
	mapping = bpf_core_field_exists(mm->mm_mt) ? mapping_in_maple_tree(buffer, mm, address)
						   : mapping_in_old_tree(mm, address);
	if (!mapping || BPF_CORE_READ(mapping, vm_mm) != mm)
		return 0;
	region = (struct crash_region *)buffer->site.regions + which;
	region->start = BPF_CORE_READ(mapping, vm_start);
	region->end = BPF_CORE_READ(mapping, vm_end);
	if (address < region->start || address >= region->end)
		return 0;
	range->start = region->start;
	range->end = region->end;
	flags = BPF_CORE_READ(mapping, vm_flags);
	if (!wanted && !(flags & VM_EXEC))
		return 0;
	file = BPF_CORE_READ(mapping, vm_file);
	region->offset = BPF_CORE_READ(mapping, vm_pgoff) << PAGE_SHIFT;
	region->inode = region->file_bytes = region->device = region->file_system = 0;
	region->path_at = region->path_bytes = 0;
	region->flags = (flags & VM_READ ? REGION_READABLE : 0) |
			(flags & VM_WRITE ? REGION_WRITABLE : 0) |
			(flags & VM_EXEC ? REGION_EXECUTABLE : 0) |
			(flags & VM_HUGETLB ? REGION_HUGETLB : 0);
	if (file)
		read_file(buffer, region, file);
	if (BPF_CORE_READ(mapping, vm_file) == file &&
	    BPF_CORE_READ(mapping, vm_start) == region->start)
		buffer->site.regions_count = which + 1;
	return 0;
}

static inline bool has_room_for_more(struct crash_buffer *buffer)
{
	return buffer->lookups < MOST_LOOKUPS && buffer->site.regions_count < MAX_REGIONS;
}

/* Whether an address need not be looked up: its mapping is known, or it was found that there is none. */
static inline bool is_known(struct crash_buffer *buffer, __u64 address)
{
	__u32 count = buffer->lookups;

	if (address - buffer->last.start < buffer->last.end - buffer->last.start)
		return true;
	for (__u32 i = 0; i < MOST_LOOKUPS; i++) {
		struct range *range = buffer->known + i;

		if (i >= count)
			break;
		if (address - range->start < range->end - range->start || address == range->start) {
			buffer->last = *range;
			return true;
		}
	}
	return false;
}

#endif
