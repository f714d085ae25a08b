/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * As kernel_types.bpf.h: what is read of a process's mappings.
 */
#ifndef EXITSNOOP_MAPPING_TYPES_BPF_H
#define EXITSNOOP_MAPPING_TYPES_BPF_H

#include "kernel_types.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/maple_tree.h, with 64 bits */
struct maple_range_64 {
	unsigned long pivot[15];
	void *slot[16];
};

struct maple_arange_64 {
	unsigned long pivot[9];
	void *slot[10];
};

struct rb_node {
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	struct mm_struct *vm_mm;
	struct file *vm_file;
};

/* Since Linux kernel commit 763ecb035029 ("mm: remove the vma linked list") and those before (in v6.1) the
 * mappings are in a maple tree.
 */
struct vm_area_struct___before_6_1 {
	struct rb_node vm_rb;
};

struct mm_struct___before_6_1 {
	struct rb_root mm_rb;
};

#pragma clang attribute pop

#endif
