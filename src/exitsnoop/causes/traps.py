"""What an x86 CPU reported of a fault, in words."""

from exitsnoop.decode.signals import Trap
from exitsnoop.layout import FORCED_HAS_SIGNAL_STACK, FORCED_ON_SIGNAL_STACK, FORCED_RSEQ
from exitsnoop.model.cause import SEGV

DOING = {"read": "reading", "write": "writing", "execute": "executing"}
"""Words for what access() returns."""

# arch/x86/include/asm/trapnr.h; bits of a page fault's error code: asm/trap_pf.h
_DEBUG, _BREAKPOINT, _OVERFLOW, _STACK, _PROTECTION, _PAGE_FAULT, _ALIGNMENT = (
    *(1, 3, 4, 12, 13, 14, 17),
)
_NONE = 0  # also a division error, which is SIGFPE
_WRITES, _EXECUTES = 2, 16
_WORDS = {
    _DEBUG: "debug exception",
    _BREAKPOINT: "breakpoint",
    _OVERFLOW: "overflow exception",
    _STACK: "invalid stack pointer",
    _ALIGNMENT: "unaligned access",
}
_WILD = "wild pointer (not a canonical address)"
NO_ROOM = "no room on the stack for a signal handler"
NO_ROOM_ON_SIGNAL_STACK = "no room on the signal stack for a signal handler"
_RT_SIGRETURN = 15  # arch/x86/entry/syscalls/syscall_64.tbl
_VSYSCALL = 0xFFFFFFFFFF600  # the page that has it

_PREFIXES = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3, *range(0x40, 0x50)}
_PRIVILEGED: dict[tuple[int, ...], str] = {
    (0xF4,): "hlt",
    (0xFA,): "cli",
    (0xFB,): "sti",
    (0x0F, 0x06): "clts",
    (0x0F, 0x07): "sysret",
    (0x0F, 0x08): "invd",
    (0x0F, 0x09): "wbinvd",
    (0x0F, 0x30): "wrmsr",
    (0x0F, 0x32): "rdmsr",
    (0x0F, 0x33): "rdpmc",
    (0x0F, 0x35): "sysexit",
    **{(code,): "in" for code in (0x6C, 0x6D, 0xE4, 0xE5, 0xEC, 0xED)},
    **{(code,): "out" for code in (0x6E, 0x6F, 0xE6, 0xE7, 0xEE, 0xEF)},
    **{(0x0F, code): "mov of a control register" for code in (0x20, 0x21, 0x22, 0x23)},
}
# By the opcode after 0F, and the digit (reg) of the byte after it.
_PRIVILEGED_BY_DIGIT = {
    (0x00, 2): "lldt",
    (0x00, 3): "ltr",
    (0x01, 6): "lmsw",
}
_PRIVILEGED_WITH_MEMORY = {(0x01, 2): "lgdt", (0x01, 3): "lidt", (0x01, 7): "invlpg"}
_REGISTERS = 0xC0  # from here on that byte names a register, and no memory
_PRIVILEGED_AFTER_0F01 = {0xD1: "xsetbv", 0xF8: "swapgs"}
_DISABLED: dict[tuple[int, ...], str] = {(0x0F, 0x31): "rdtsc", (0x0F, 0xA2): "cpuid"}
_RETURNS = {0xCA: "retf", 0xCB: "retf", 0xCF: "iret"}
_RDTSCP = b"\x0f\x01\xf9"
_LOADS_SEGMENT = 0x8E
_CANONICAL = 1 << 56  # with five levels of page tables
_INT = 0xCD
# AVX: its first byte, and where the bytes after it have the map of opcodes, a prefix, the opcode.
_AVX = {0xC5: (None, 1, 2), 0xC4: (1, 2, 3), 0x62: (1, 2, 4)}
# Those that need an aligned address, by map and opcode; with the prefix 66, or with any.
_ALIGNED_AVX = {(1, 0x28), (1, 0x29), (1, 0x2B)}
_ALIGNED_AVX_66 = {(1, 0x6F), (1, 0x7F), (1, 0xE7), (2, 0x2A)}
# Many of these do: by the opcode after 0F, SSE, fxsave, xsave and cmpxchg16b, unless F2 or F3 comes
# before.
_MAY_BE_ALIGNED = {0x28, 0x29, 0x2B, 0x38, 0x3A, 0xAE, 0xC7, *range(0x50, 0x80), *range(0xD0, 0xFF)}
_REPEATED = {0xF2, 0xF3}


def access(address: int, trap: Trap | None) -> str | None:
    """Return what the thread tried at the address; None if that is unknown.

    Only a page fault says it. Where the thread is at the address itself, it was to execute it.
    """
    if trap is None or trap.number != _PAGE_FAULT:
        return None
    if trap.error & _EXECUTES or trap.instruction == address:
        return "execute"
    return "write" if trap.error & _WRITES else "read"


def illegal(trap: Trap | None) -> str | None:
    """Return which instruction the CPU does not have; None if that is unknown."""
    code = trap.code if trap else b""
    if code.removeprefix(b"\x67")[:2] in _MADE_TO_FAIL:
        return "an instruction that a compiler puts where a program must stop"
    return _OF_SOME_CPUS.get(code[:1])


_MADE_TO_FAIL = {b"\x0f\x0b", b"\x0f\xb9", b"\x0f\xff"}  # ud2, ud1, ud0
_OF_SOME_CPUS = {
    b"\xc4": "an AVX instruction",
    b"\xc5": "an AVX instruction",
    b"\x62": "an AVX-512 instruction",
}


def reason(signal: int, trap: Trap | None, has_room: bool | None = None) -> str | None:
    """Return what was wrong where the kernel gives no address; None if that is unknown.

    has_room: whether the thread's stack had room for the frame of a signal.
    """
    if trap is None:
        return None
    if signal == SEGV and trap.system_call == _RT_SIGRETURN:
        return "invalid signal frame"
    if signal == SEGV and trap.instruction >> 12 == _VSYSCALL:
        return "call of the vsyscall page"
    if signal == SEGV and trap.number in (_NONE, _PAGE_FAULT):
        return _forced(trap, has_room)
    if trap.number == _PROTECTION:
        return _protection(trap.code)
    if trap.number == _STACK and trap.stack_pointer < _CANONICAL:
        return _WILD  # relative to the frame pointer
    return _WORDS.get(trap.number)


def _forced(trap: Trap, has_room: bool | None) -> str | None:
    """Return why the kernel forced SIGSEGV where the CPU had nothing against the thread.

    The CPU's last exception is an older one then, or none: a page fault comes with an address. A
    library that uses critical sections (librseq, TCMalloc) may leave the pointer to one behind. So
    what the stack says comes first.
    """
    if trap.forced & FORCED_ON_SIGNAL_STACK:
        return NO_ROOM_ON_SIGNAL_STACK
    if has_room is False:
        return NO_ROOM
    if trap.forced & FORCED_RSEQ:
        return "rseq area of the thread overwritten"
    if trap.forced & FORCED_HAS_SIGNAL_STACK:
        return "signal stack not usable"
    return NO_ROOM if has_room is None and trap.number == _PAGE_FAULT else None


def _protection(code: bytes) -> str:
    """Return why the CPU refused an instruction, by its first bytes."""
    at = 0
    while at < len(code) - 3 and code[at] in _PREFIXES:
        at += 1
    opcode = tuple(code[at : at + (2 if code[at] == 0x0F else 1)])
    if opcode in _PRIVILEGED:
        return f"privileged instruction ({_PRIVILEGED[opcode]})"
    if opcode[0] == _INT:
        return f"software interrupt {code[at + 1]:#x}"
    if opcode[0] in _RETURNS:
        return f"invalid return frame ({_RETURNS[opcode[0]]})"
    if opcode[0] == _LOADS_SEGMENT and code[at + 1] >= _REGISTERS:
        return "invalid segment selector"
    if disabled := _disabled(opcode, code[at:]):
        return f"instruction that the process has disabled ({disabled})"
    if name := _privileged_by_digit(opcode, code[at + 2]):
        return f"privileged instruction ({name})"
    if _may_need_alignment(code, at):
        return "unaligned access, or a wild pointer"
    no_memory = opcode == (0x0F, 0x01) and code[at + 2] >= _REGISTERS
    return _WILD if any(code) and not no_memory else "general protection fault"


def _disabled(opcode: tuple[int, ...], code: bytes) -> str | None:
    """Return an instruction that prctl(PR_SET_TSC) or arch_prctl(ARCH_SET_CPUID) takes away."""
    return "rdtscp" if code.startswith(_RDTSCP) else _DISABLED.get(opcode)


def _privileged_by_digit(opcode: tuple[int, ...], operand: int) -> str | None:
    if opcode[0] != 0x0F:
        return None
    which = opcode[1], operand >> 3 & 7
    if operand < _REGISTERS and which in _PRIVILEGED_WITH_MEMORY:
        return _PRIVILEGED_WITH_MEMORY[which]
    if opcode[1] == 1 and operand in _PRIVILEGED_AFTER_0F01:
        return _PRIVILEGED_AFTER_0F01[operand]
    return _PRIVILEGED_BY_DIGIT.get(which)


def _may_need_alignment(code: bytes, at: int) -> bool:
    if code[at] in _AVX and at + 4 < len(code):
        of_map, of_prefix, of_opcode = _AVX[code[at]]
        number = 1 if of_map is None else code[at + of_map] & 7
        known = number, code[at + of_opcode]
        return known in _ALIGNED_AVX or (known in _ALIGNED_AVX_66 and code[at + of_prefix] & 3 == 1)
    return code[at] == 0x0F and (code[at + 1] in _MAY_BE_ALIGNED and not _REPEATED & set(code[:at]))
