"""The records, limits and flags that the BPF programs, the extension and Python agree on.

The build makes layout.py of _native/bpf/event.h and filter_sets.h, which say what they mean. It
is at the top of the package because filters/ and kernel/ need its limits, and may not import
decode/, which needs its structs.
"""

STRUCTS: dict[str, dict[str, str]]
"""Each struct by its name: its fields in order, with their codes for the module struct.

The field `parts` is left out: it is sent only as far as it is used.
"""

def __getattr__(name: str, /) -> int:
    """The constants: every #define and every enumerator of them, by its name there."""
