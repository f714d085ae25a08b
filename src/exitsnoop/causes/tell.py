"""A sentence for each rule of rules.py: what ended a process."""

from functools import lru_cache

from exitsnoop import layout
from exitsnoop.causes import places, senders
from exitsnoop.causes.case import SI_ASYNCIO, SI_MESGQ, SI_QUEUE, SI_TIMER, SI_TKILL, SI_USER, Case
from exitsnoop.causes.senders import named
from exitsnoop.decode.signals import Memory
from exitsnoop.model.callers import abort_reason, caller
from exitsnoop.model.cause import (
    ALRM,
    HUP,
    INT,
    IO,
    PROF,
    SYS,
    TSTP,
    VTALRM,
    WITH_CODES,
    At,
    Cause,
    Oom,
    Timer,
)
from exitsnoop.model.words import human_bytes, quoted, syscall_name

_HOW = {SI_USER: "kill", SI_QUEUE: "sigqueue", SI_TKILL: "tgkill"}


def oom(case: Case) -> Cause:
    """The OOM killer chose it."""
    trigger, memory = case.evidence.sender, case.evidence.memory
    if memory is None or not case.seen:
        return case.cause("out of memory")
    where = "system"
    if memory.cgroup is not None and memory.limit is not None:
        where = f"cgroup {quoted(memory.cgroup)} limit {human_bytes(memory.limit)}"
        where += _filled_by_others(memory, memory.limit)
    text = f"out of memory: {where}, anon {human_bytes(memory.anon)}"
    if memory.shmem > memory.anon:
        text += f", shmem {human_bytes(memory.shmem)}"
    text = f"{text}, triggered by {named(trigger)}"
    anon, file, shmem, kernel, sock = memory.filled or (None,) * 5
    figures = Oom(
        memory.anon,
        memory.file,
        memory.shmem,
        memory.cgroup,
        memory.limit,
        trigger,
        memory.usage,
        cgroup_anon=anon,
        cgroup_file=file,
        cgroup_shmem=shmem,
        cgroup_kernel=kernel,
        cgroup_sock=sock,
        swap=memory.swap,
    )
    return case.cause(text, oom=figures)


def _filled_by_others(memory: Memory, limit: int) -> str:
    """Return what fills a cgroup that the process does not have: "" unless it is a lot."""
    if memory.filled is None:
        return ""
    anon = memory.filled.anon
    parts = {
        "in other processes": None if anon is None else anon - memory.anon,
        "in tmpfs or shared memory": memory.filled.shmem,
        "in the kernel": memory.filled.kernel,
        "in sockets": memory.filled.sock,
    }
    return "".join(
        f", {human_bytes(size)} of it {where}"
        for where, size in parts.items()
        if size is not None and size >= limit // 4
    )


def seccomp(case: Case) -> Cause:
    """It called what seccomp forbids."""
    if not case.seen:
        return case.cause("a system call that seccomp forbids")
    number = case.evidence.syscall
    name = syscall_name(number, case.evidence.syscall_arch)
    text = f"system call {number}{f' ({name})' if name else ''}, forbidden by seccomp"
    return case.cause(text, syscall=number)


def killed(case: Case) -> Cause:
    """Another process sent the signal."""
    sender = senders.meaning(case.evidence.sender, senders.meant_for(case))
    to = senders.TO.get(sender.meant_for or "", "")
    user, place = senders.user(sender, case.evidence.uid), senders.place(sender, case.evidence)
    by = f"{named(sender)}{user}{place}"
    text = f"killed by {by} ({case.name}{to}){senders.run_by(sender, case.pid, case.ppid)}"
    how = None if case.si_code is None else _HOW.get(case.si_code, "sigqueue")
    return case.cause(text, sender, how=how)


def itself(case: Case) -> Cause:
    """The process sent the signal, maybe to others of its process group, too."""
    if case.si_code == SI_ASYNCIO:
        return case.cause(f"sent itself {case.name}, as asynchronous I/O was done (aio)")
    meant_for = senders.meant_for(case)
    if meant_for == "process group":
        text = f"sent {case.name} to its process group, and so to itself"
        return case.cause(text, meant_for=meant_for)
    return case.cause(f"sent itself {case.name}")


def timer(case: Case) -> Cause:
    """A timer of its own. alarm() sets the same one as setitimer(ITIMER_REAL)."""
    again = case.evidence.timer_ns
    every = f", every {_time(again)}" if again else ""
    interval = None if again is None else again / 1_000_000_000
    if case.si_code == SI_TIMER:
        name = f"timer_create, {case.name}"
        if interval is None:
            return case.cause(f"timer ({name})")
        clock = _clock(case.evidence.timer_clock)
        of = _CPU_TIME.get(clock, clock)
        return case.cause(f"timer of {of}{every} ({name})", timer=Timer(clock, interval))
    clock, of = _INTERVAL_TIMERS[case.signal]
    text = f"interval timer{of}{every} ({case.name})"
    if case.signal == ALRM and not again:
        text = f"alarm (alarm or setitimer, {case.name})"
    return case.cause(text, timer=Timer(clock, interval))


_INTERVAL_TIMERS = {
    ALRM: ("ITIMER_REAL", ""),
    VTALRM: ("ITIMER_VIRTUAL", " of user CPU time"),
    PROF: ("ITIMER_PROF", " of CPU time"),
}

# include/uapi/linux/time.h; a negative one is of the CPU time of a process or thread.
_CLOCKS = {
    0: "CLOCK_REALTIME",
    1: "CLOCK_MONOTONIC",
    2: "CLOCK_PROCESS_CPUTIME_ID",
    3: "CLOCK_THREAD_CPUTIME_ID",
    7: "CLOCK_BOOTTIME",
    8: "CLOCK_REALTIME_ALARM",
    9: "CLOCK_BOOTTIME_ALARM",
    11: "CLOCK_TAI",
}
_CPU_TIME = {
    "CLOCK_PROCESS_CPUTIME_ID": "CPU time",
    "CLOCK_THREAD_CPUTIME_ID": "CPU time of a thread",
}
_OF_THREAD = 4  # include/linux/posix-timers_types.h: CPUCLOCK_PERTHREAD_MASK


def _clock(number: int) -> str:
    if number < 0:
        number = 3 if number & _OF_THREAD else 2
    return _CLOCKS.get(number, f"clock {number}")


def _time(ns: int) -> str:
    for each, unit in ((1_000_000_000, "s"), (1_000_000, "ms")):
        if ns >= each:
            return f"{ns / each:g} {unit}"
    return f"{ns / 1000:g} us"


def cpu_limit(case: Case) -> Cause:
    """It used up its CPU time."""
    limit = case.evidence.limit
    if case.of_realtime and limit is not None:
        size = f"{limit / 1_000_000:g} s without a pause"
        return case.cause(f"CPU time limit at real-time priority of {size} ({case.name})")
    return case.cause(f"CPU time limit of {limit} s ({case.name})", limit=limit)


def file_limit(case: Case) -> Cause:
    """A file reached the limit of its size."""
    limit = case.evidence.limit
    size = "" if limit is None else f" of {human_bytes(limit)}"
    path = case.evidence.site.written() if case.evidence.site else None
    by = f", reached by {quoted(path)}" if path else ""
    return case.cause(f"file size limit{size}{by} ({case.name})", limit=limit, path=path)


def _tty(case: Case) -> str | None:
    name = case.evidence.tty
    return f"pts/{name[3:]}" if name.startswith("pts") else name or None


def terminal(case: Case) -> Cause:
    """Somebody pressed a key."""
    tty = _tty(case)
    key = {INT: "ctrl-c", TSTP: "ctrl-z"}.get(case.signal, "ctrl-\\")
    return case.cause(f"{key} on {tty}", tty=tty)


def hangup(case: Case) -> Cause:
    """Its terminal went away; or the last process that could continue it, while it was stopped."""
    tty = _tty(case)
    if case.evidence.handler == layout.HANDLER_STOPPED and case.sender_dies and not case.by_itself:
        sender = case.evidence.sender
        text = f"left stopped, as {named(sender)} ended and nobody else would continue it"
        return case.cause(f"{text} ({case.name})", sender, tty=tty)
    return case.cause(f"hangup of {tty}" if tty else "hangup of the terminal", tty=tty)


def parent_death(case: Case) -> Cause:
    """It asked for a signal at the end of its parent, which a thread's end also gives."""
    sender = case.evidence.sender
    who = f"parent {named(sender)} died"
    if case.sender_goes_on:
        who = f"thread {sender.tid or sender.pid} of parent {named(sender)} ended"
    return case.cause(f"{who} (PDEATHSIG)", sender)


def namespace(case: Case) -> Cause:
    """Init of its PID namespace took it along."""
    sender = case.evidence.sender
    text = f"init {named(sender)} of its PID namespace died"
    return case.cause(text, sender)


def reboot(case: Case) -> Cause:
    """The kernel gives the init of a namespace SIGHUP for a restart, SIGINT else."""
    what = "restarted" if case.signal == HUP else "halted or powered off"
    if not case.seen:
        return case.cause(f"its PID namespace was {what} (reboot)")
    sender = case.evidence.sender
    text = f"its PID namespace was {what} by {named(sender)} (reboot)"
    return case.cause(text, sender)


def tracer(case: Case) -> Cause:
    """Its tracer ended, and wanted it to end, too."""
    sender = case.evidence.sender
    return case.cause(f"tracer {named(sender)} died (EXITKILL)", sender)


def sent_by_tracer(case: Case) -> Cause:
    """Its tracer made the signal up: so do strace -e inject and the command signal of gdb."""
    sender = case.evidence.sender
    text = f"{case.name} made up by its tracer {named(sender)}"
    return case.cause(f"{text}{senders.run_by(sender, case.pid, case.ppid)}", sender)


def kernel(case: Case) -> Cause:
    """The kernel sent it, for another reason."""
    return case.cause(f"{case.name} from the kernel{_as_asked(case)}")


def _as_asked(case: Case) -> str:
    """Return what the process had asked to be signalled for; "" if it had not, or that is unknown.

    Who sends SI_MESGQ by itself, without a message, is in another system call.
    """
    call = case.evidence.call
    if case.signal == SYS and case.si_code == _USER_DISPATCH:
        number = case.evidence.syscall
        name = syscall_name(number, case.evidence.syscall_arch)
        which = f"{number}{f' ({name})' if name else ''}"
        return f": system call {which}, as it had asked (PR_SET_SYSCALL_USER_DISPATCH)"
    if case.by_kernel and case.signal == IO:
        return ", as it had asked (O_ASYNC, F_NOTIFY or a lease)"
    if case.si_code == SI_MESGQ and call and senders.called(call) == "mq_timedsend":
        by = named(case.evidence.sender)
        return f": a message to its queue from {by}, as it had asked (mq_notify)"
    if case.signal not in WITH_CODES and case.si_code in _READY:
        return f": {_READY[case.si_code]}, as it had asked (F_SETSIG)"
    return ""


_USER_DISPATCH = 2  # include/uapi/asm-generic/siginfo.h: SYS_USER_DISPATCH
# The same: POLL_IN and so on
_READY = {
    1: "a descriptor has input",
    2: "a descriptor takes output",
    3: "a directory changed, or a lease was broken",
    4: "a descriptor has an error",
    5: "a descriptor has urgent input",
    6: "a descriptor was hung up",
}


def unknown(case: Case) -> Cause:
    """The evidence is not enough."""
    why = "not seen being sent"
    if case.forgotten:
        why = "seen being sent, but forgotten: there were too many signals"
    elif case.traced and not case.seen:
        why += f": its tracer {named(case.evidence.sender)} may have made it up"
    if case.several:
        why = "sent by several processes, the first is unknown"
    elif case.contradicts:
        why = "sent by the process to itself, marked as from the kernel"
    return case.cause(f"{case.name}, {why}")


def abort(case: Case) -> Cause:
    """It gave up by itself."""
    site = case.evidence.site
    called = _who_aborts(site.stack or ()) if site else ""
    return case.cause(f"abort(){called}{case.in_thread}", thread=case.evidence.thread)


@lru_cache(maxsize=16)  # a stack may be long
def _who_aborts(stack: tuple[At, ...]) -> str:
    why = abort_reason(stack)
    return f"{places.in_words(caller(stack))}{f', {why}' if why else ''}"
