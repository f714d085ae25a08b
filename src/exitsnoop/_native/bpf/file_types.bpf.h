/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What exitsnoop reads of files and their paths: see kernel_types.bpf.h.
 */
#ifndef EXITSNOOP_FILE_TYPES_BPF_H
#define EXITSNOOP_FILE_TYPES_BPF_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev; /* NULL: the entry was removed from its directory */
};

struct super_block {
	unsigned int s_dev;
	unsigned long s_magic;
};

struct inode {
	unsigned long i_ino;
	long long i_size;
	struct super_block *i_sb;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	unsigned int f_mode;
	struct path f_path;
	struct inode *f_inode;
};

/* What a file of an overlay is mapped by, since Linux kernel commit def3ae83da02 ("fs: store real path
 * instead of fake path in backing file f_path") (in v6.7); f_path is that of the layer then.
 */
struct backing_file {
	struct path user_path;
};

#pragma clang attribute pop

#endif
