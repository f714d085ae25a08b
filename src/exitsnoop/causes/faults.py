"""The sentence for a fault: what the thread did, where, and whether it ran out of stack."""

from exitsnoop.causes import traps
from exitsnoop.causes.case import SI_KERNEL, Case
from exitsnoop.model.cause import BUS, FPE, ILL, SEGV, Cause
from exitsnoop.model.words import quoted, si_code_name

SEGV_ACCERR = 2
_MIB = 1 << 20
_GAP = 120 * _MIB
_FRAMES = 256 << 10  # arguments, environment, the frame of a signal


def fault(case: Case) -> Cause:
    """The CPU refused what a thread tried."""
    words = {
        SEGV: "segfault",
        BUS: "bus error",
        FPE: "arithmetic fault",
        ILL: "illegal instruction",
    }
    text = words.get(case.signal, "trap")
    code = si_code_name(case.signal, case.si_code or 0)
    thread, where = case.evidence.thread, ""
    if thread and thread.tid != case.pid:
        where = f", thread {quoted(thread.comm)}[{thread.tid}]"
    address = case.evidence.address
    # The first: a fault for which the CPU gives no address. The other: x86 gives none, and reports
    # 0, which is aligned.
    if case.si_code == SI_KERNEL or (not address and code == "BUS_ADRALN"):
        trap = traps.reason(case.signal, case.evidence.trap)
        overflow = ", stack overflow" if trap == traps.NO_ROOM and _is_stack_overflow(case) else ""
        text = f"{text}{f', {trap}' if trap else ''} ({code}){overflow}{where}"
        return case.cause(text, thread=thread, trap=trap)
    access = traps.access(address, case.evidence.trap)
    doing = f"{traps.DOING[access]} " if access else "at "
    overflow = ", stack overflow" if _is_stack_overflow(case) else ""
    text = f"{text} {doing}{address:#x} ({code}){overflow}{where}"
    return case.cause(text, address=address, thread=thread, access=access)


def _is_stack_overflow(case: Case) -> bool:
    """Whether a stack has reached its end: its limit, or the guard page of a thread's.

    The kernel measures the limit from the end of the stack's mapping, which is above stack_start by
    the size of arguments and environment. A large frame reaches below the limit. Then the stack
    pointer is there, too; nothing else is mapped in the 128 MiB below stack_start (mmap_base() in
    arch/x86/mm/mmap.c).
    """
    trap, address = case.evidence.trap, case.evidence.address
    if case.signal != SEGV:
        return False
    if case.si_code == SI_KERNEL:
        return trap is not None and -_FRAMES <= case.below_limit(trap.stack_pointer) <= _GAP
    if -_FRAMES <= case.below_limit(address) <= _MIB:
        return True
    if trap is None or not case.at_end_of_stack(trap.stack_pointer):
        return False
    if case.evidence.thread and case.evidence.thread.tid != case.pid:
        return case.si_code == SEGV_ACCERR or traps.access(address, trap) == "write"
    return 0 <= case.below_limit(address) <= _GAP
