// SPDX-License-Identifier: Apache-2.0
/* Puts a record of any bytes into somebody's ring buffer, as a BPF program of ours that is not exit.bpf.c.
 *
 *   garbage MAP_ID WORD...    words of 64 bits, in hexadecimal; at most 60
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#define MOST_WORDS 60 /* of a program's stack of 512 bytes */
#define INSTRUCTION(operation, to, from, offset, immediate)                                        \
	((struct bpf_insn){ .code = (operation),                                                   \
			    .dst_reg = (to),                                                       \
			    .src_reg = (from),                                                     \
			    .off = (offset),                                                       \
			    .imm = (int32_t)(immediate) })

static struct bpf_insn program[3 * MOST_WORDS + 16];
static unsigned int length;

static void add(struct bpf_insn instruction)
{
	program[length++] = instruction;
}

static void load(int to, int from, uint64_t value)
{
	add(INSTRUCTION(BPF_LD | BPF_DW | BPF_IMM, to, from, 0, value));
	add(INSTRUCTION(0, 0, 0, 0, value >> 32));
}

static int bpf(int command, union bpf_attr *attributes, const char *what)
{
	long result = syscall(__NR_bpf, command, attributes, sizeof(*attributes));

	if (result < 0) {
		fprintf(stderr, "garbage: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return (int)result;
}

static void write_program(int ring, char **words, int count)
{
	int16_t start = (int16_t)(-8 * count);

	for (int i = 0; i < count; i++) {
		load(BPF_REG_1, 0, strtoull(words[i], NULL, 16));
		add(INSTRUCTION(BPF_STX | BPF_DW | BPF_MEM, BPF_REG_10, BPF_REG_1,
				(int16_t)(start + 8 * i), 0));
	}
	load(BPF_REG_1, BPF_PSEUDO_MAP_FD, (uint64_t)ring);
	add(INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0));
	add(INSTRUCTION(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, start));
	add(INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 8 * count));
	add(INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, 0));
	add(INSTRUCTION(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output));
	add(INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)); /* its result is ours */
}

int main(int argc, char **argv)
{
	union bpf_attr attributes = { 0 };
	char packet[64] = { 0 };
	int descriptor;

	if (argc < 3 || argc - 2 > MOST_WORDS)
		return 2;
	attributes.map_id = (uint32_t)strtoul(argv[1], NULL, 10);
	write_program(bpf(BPF_MAP_GET_FD_BY_ID, &attributes, "no such map"), argv + 2, argc - 2);

	attributes = (union bpf_attr){ 0 };
	attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attributes.insns = (uint64_t)(uintptr_t)program;
	attributes.insn_cnt = length;
	attributes.license = (uint64_t)(uintptr_t)"GPL";
	descriptor = bpf(BPF_PROG_LOAD, &attributes, "the program is not loaded");

	attributes = (union bpf_attr){ 0 };
	attributes.test.prog_fd = (uint32_t)descriptor;
	attributes.test.data_in = (uint64_t)(uintptr_t)packet;
	attributes.test.data_size_in = sizeof(packet);
	bpf(BPF_PROG_TEST_RUN, &attributes, "the program does not run");
	return attributes.test.retval != 0;
}
