"""The records, limits and flags that the BPF programs, the extension and Python agree on.

The build makes layout.py of _native/bpf/event.h, which says what each of them means. It is at the
top of the package because the filters and the kernel's side of it need limits, as the decoders
need records.
"""

STRUCTS: dict[str, dict[str, str]]
"""By the name of each struct its fields in order, each with its code of the module struct.

The field `parts`, of which only a part is sent, is left out.
"""

def __getattr__(name: str, /) -> int:
    """The constants: every #define and every enumerator of event.h, by its name there."""
