/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes in bytes. */
#ifndef LIVES_SIZES_H
#define LIVES_SIZES_H

#define BLOCK 65536
#define PAGE 4096

#endif
