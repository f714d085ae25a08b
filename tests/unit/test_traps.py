"""What the bytes of an instruction say of a fault: no kernel."""

import pytest

from exitsnoop.causes.traps import illegal, reason
from exitsnoop.decode.signals import Trap

SEGV, PROTECTION = 11, 13
WILD = "wild pointer (not a canonical address)"
EITHER = "unaligned access, or a wild pointer"
TABLE = [
    ("c70001000000", WILD),  # movl $1,(%rax)
    ("c3", WILD),  # ret
    ("f30f104001", WILD),  # movss 1(%rax),%xmm0
    ("f30f6f4001", WILD),  # movdqu 1(%rax),%xmm0
    ("0f294001", EITHER),  # movaps %xmm0,1(%rax)
    ("660ffe4001", EITHER),  # paddd 1(%rax),%xmm0
    ("660f382a4001", EITHER),  # movntdqa 1(%rax),%xmm0
    ("c5fc294001", EITHER),  # vmovaps %ymm0,1(%rax)
    ("62f17c48294001", EITHER),  # vmovaps %zmm0,64(%rax)
    ("c5fc114001", WILD),  # vmovups %ymm0,1(%rax)
    ("c5fd6f4001", EITHER),  # vmovdqa 1(%rax),%ymm0
    ("c5fe6f4001", WILD),  # vmovdqu 1(%rax),%ymm0
    ("c5fdfe4001", WILD),  # vpaddd 1(%rax),%ymm0,%ymm0
    ("c4e27d2a4001", EITHER),  # vmovntdqa 1(%rax),%ymm0
    ("62f17c48114001", WILD),  # vmovups %zmm0,64(%rax)
    ("480fc74801", EITHER),  # cmpxchg16b 1(%rax)
    ("0fae4001", EITHER),  # fxsave 1(%rax)
    ("f4", "privileged instruction (hlt)"),
    ("0f0110", "privileged instruction (lgdt)"),  # lgdt (%rax)
    ("0f0138", "privileged instruction (invlpg)"),  # invlpg (%rax)
    ("0f01f8", "privileged instruction (swapgs)"),
    ("480f07", "privileged instruction (sysret)"),
    ("0f01d1", "privileged instruction (xsetbv)"),
    ("0f00d0", "privileged instruction (lldt)"),  # lldt %ax
    ("0f01f0", "privileged instruction (lmsw)"),  # lmsw %ax
    ("0f01ef", "general protection fault"),  # wrpkru, with ecx not 0
    ("48cf", "invalid return frame (iret)"),
    ("8ed8", "invalid segment selector"),  # mov %eax,%ds
    ("8e18", WILD),  # mov (%rax),%ds
    ("0f31", "instruction that the process has disabled (rdtsc)"),
    ("0f01f9", "instruction that the process has disabled (rdtscp)"),
    ("0fa2", "instruction that the process has disabled (cpuid)"),
    ("cd42", "software interrupt 0x42"),
]


@pytest.mark.parametrize(("code", "words"), TABLE)
def test_reason(code: str, words: str) -> None:
    trap = Trap(PROTECTION, 0, -1, 0x1000, bytes.fromhex(code).ljust(16, b"\x90"), 0)
    assert reason(SEGV, trap) == words


@pytest.mark.parametrize(
    ("stack_pointer", "words"),
    [(0x7FFE_0000_1000, WILD), (0x1122_3344_5566_7788, "invalid stack pointer")],
)
def test_an_operand_relative_to_the_frame_pointer(stack_pointer: int, words: str) -> None:
    """The CPU calls both a stack fault."""
    code = bytes.fromhex("488b4500").ljust(16, b"\x90")  # mov 0(%rbp),%rax
    assert reason(7, Trap(12, 0, -1, 0x1000, code, stack_pointer)) == words


MADE = "an instruction that a compiler puts where a program must stop"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("0f0b", MADE),  # ud2, as of gcc's __builtin_trap()
        ("670fb94002", MADE),  # ud1l 2(%eax),%eax, as of clang's sanitizers
        ("62f17c48294001", "an AVX-512 instruction"),
        ("c5fc294001", "an AVX instruction"),
        ("d6", None),
        ("", None),  # it was not in memory
    ],
)
def test_illegal(code: str, words: str | None) -> None:
    padding = b"\x90" if code else b"\0"
    assert illegal(Trap(6, 0, -1, 0x1000, bytes.fromhex(code).ljust(16, padding), 0)) == words


def test_illegal_where_nothing_is_known() -> None:
    assert illegal(None) is None
