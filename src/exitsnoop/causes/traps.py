"""What an x86 CPU reported of a fault, in words."""

from exitsnoop.decode.signals import Trap
from exitsnoop.model.cause import SEGV

DOING = {"read": "reading", "write": "writing", "execute": "executing"}
"""Words for what access() returns."""

# arch/x86/include/asm/trapnr.h; bits of a page fault's error code: asm/trap_pf.h
_DEBUG, _BREAKPOINT, _OVERFLOW, _STACK, _PROTECTION, _PAGE_FAULT, _ALIGNMENT = (
    *(1, 3, 4, 12, 13, 14, 17),
)
_WRITES, _EXECUTES = 2, 16
_WORDS = {
    _DEBUG: "debug exception",
    _BREAKPOINT: "breakpoint",
    _OVERFLOW: "overflow exception",
    _STACK: "invalid stack pointer",
    _ALIGNMENT: "unaligned access",
}
NO_ROOM = "no room on the stack for a signal handler"
_RT_SIGRETURN = 15  # arch/x86/entry/syscalls/syscall_64.tbl
_VSYSCALL = 0xFFFFFFFFFF600  # the page that has it

_PREFIXES = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3, *range(0x40, 0x50)}
_PRIVILEGED: dict[tuple[int, ...], str] = {
    (0xF4,): "hlt",
    (0xFA,): "cli",
    (0xFB,): "sti",
    (0x0F, 0x06): "clts",
    (0x0F, 0x08): "invd",
    (0x0F, 0x09): "wbinvd",
    (0x0F, 0x30): "wrmsr",
    (0x0F, 0x32): "rdmsr",
    (0x0F, 0x33): "rdpmc",
    **{(code,): "in" for code in (0x6C, 0x6D, 0xE4, 0xE5, 0xEC, 0xED)},
    **{(code,): "out" for code in (0x6E, 0x6F, 0xE6, 0xE7, 0xEE, 0xEF)},
    **{(0x0F, code): "mov of a control register" for code in (0x20, 0x21, 0x22, 0x23)},
}
# movaps, movapd, movntps, movntpd; movdqa and movntdq, which have the prefix 66.
_ALIGNED = {(0x0F, code) for code in (0x28, 0x29, 0x2B)}
_ALIGNED_66 = {(0x0F, code) for code in (0x6F, 0x7F, 0xE7)}


def access(address: int, trap: Trap | None) -> str | None:
    """Return what the thread tried at the address; None if that is unknown.

    Only a page fault says it. Where the thread is at the address itself, it was to execute it.
    """
    if trap is None or trap.number != _PAGE_FAULT:
        return None
    if trap.error & _EXECUTES or trap.instruction == address:
        return "execute"
    return "write" if trap.error & _WRITES else "read"


def reason(signal: int, trap: Trap | None) -> str | None:
    """Return what was wrong where the kernel gives no address; None if that is unknown.

    The kernel itself forces SIGSEGV, too. Then the CPU's last exception is an older one. A page
    fault always comes with an address, so it cannot be the one that was forced; its handler
    could not begin.
    """
    if trap is None:
        return None
    if signal == SEGV and trap.system_call == _RT_SIGRETURN:
        return "invalid signal frame"
    if signal == SEGV and trap.instruction >> 12 == _VSYSCALL:
        return "call of the vsyscall page"
    if signal == SEGV and trap.number == _PAGE_FAULT:
        return NO_ROOM
    if trap.number == _PROTECTION:
        return _protection(trap.code)
    return _WORDS.get(trap.number)


def _protection(code: bytes) -> str:
    """Return why the CPU refused an instruction, by its first bytes."""
    at = 0
    while at < len(code) - 2 and code[at] in _PREFIXES:
        at += 1
    opcode = tuple(code[at : at + (2 if code[at] == 0x0F else 1)])
    if opcode in _PRIVILEGED:
        return f"privileged instruction ({_PRIVILEGED[opcode]})"
    if opcode in _ALIGNED or (0x66 in code[:at] and opcode in _ALIGNED_66):
        return "unaligned access, or a wild pointer"
    return "wild pointer (not a canonical address)" if any(code) else "general protection fault"
