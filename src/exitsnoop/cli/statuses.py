"""The exit statuses, in words: for --help and the docs."""

EX_NOT_RECORDED = 3

STATUSES = (
    ("0", "success"),
    ("2", "usage error, or no such process"),
    (str(EX_NOT_RECORDED), "there is no recording, or not of that time"),
    ("70", "the kernel cannot, or will not, run the BPF program, or sent a malformed record"),
    ("74", "exits were lost (standard error says how many), or output could not be written"),
    ("77", "not permitted: CAP_BPF and CAP_PERFMON are needed, or root (sudo)"),
)
WITH_COMMAND = (
    "With COMMAND, the status is that of COMMAND: 128+N if signal N ended it, 127 if it does not "
    "exist, 126 if it cannot be run. If tracing could not begin, COMMAND is not run and the status "
    "is one of these."
)
