"""Names of functions, for people."""

import re

_PART_OF_NAME = re.compile(r"L?([1-9][0-9]{0,3})|(St|C[123]|D[012])")


def function_name(function: str) -> str:
    """Return the name of a function without its types, as far as that is simple.

    Names of C++ and of Rust come mangled: _ZN3foo3barEv is foo::bar. Those of templates and
    operators stay as they are.
    """
    if not function.startswith("_Z"):
        return function
    nested = function.startswith("_ZN")
    rest = function[3:].lstrip("KVrRO") if nested else function[2:]
    names: list[str] = []
    while part := _PART_OF_NAME.match(rest):
        digits, special = part.groups()
        end = part.end() + int(digits or 0)
        if digits:
            names.append(rest[part.end() : end])
        elif special == "St":
            names.append("std")
        elif names:
            names.append(names[-1] if special[0] == "C" else f"~{names[-1]}")
        rest = rest[end:]
        if not nested and digits:
            break
    if not names or (nested and not rest.startswith("E")):
        return function
    if len(names) > 1 and len(names[-1]) == 17 and names[-1].startswith("h"):
        del names[-1]  # a hash of Rust
    return "::".join(names)
