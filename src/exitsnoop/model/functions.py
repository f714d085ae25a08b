"""Names of functions, for people."""

import re

_PART_OF_NAME = re.compile(r"L?([1-9][0-9]{0,3})|(St|C[123]|D[012])")
_DISAMBIGUATOR = re.compile(r"s[0-9A-Za-z]*_")
_LENGTH = re.compile(r"(0|[1-9][0-9]{0,3})_?")


def function_name(function: str) -> str:
    """Return the name of a function without its types, as far as that is simple.

    Names of C++ and of Rust come mangled: _ZN3foo3barEv is foo::bar, and so is
    _RNvCs1234_3foo3bar. Those of templates and operators stay as they are.
    """
    if function.startswith("_R"):
        names = _Path(function[2:]).names()
        return "::".join(names) if names else function
    if not function.startswith("_Z"):
        return function
    nested = function.startswith("_ZN")
    rest = function[3:].lstrip("KVrRO") if nested else function[2:]
    names = []
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


class _Path:
    """A path of Rust, as its "v0" mangling has it (RFC 2603): without generic arguments."""

    def __init__(self, mangled: str) -> None:
        self._rest = mangled

    def names(self) -> list[str]:
        """Return the parts of the path; [] if it is not a simple one."""
        kind, self._rest = self._rest[:1], self._rest[1:]
        if kind == "C":
            return self._and_name([""])
        if kind == "N":
            self._rest = self._rest[1:]  # the namespace: a value, a type, a closure
            return self._and_name(self.names())
        if kind == "I":
            return self.names()
        if kind == "M":  # a method: what it is of comes after where that was written
            self._take(_DISAMBIGUATOR)
            return self.names() and self.names()
        return []

    def _and_name(self, before: list[str]) -> list[str]:
        self._take(_DISAMBIGUATOR)
        found = self._take(_LENGTH)
        if not before or found is None:
            return []
        name, self._rest = self._rest[: int(found[1])], self._rest[int(found[1]) :]
        return [*filter(None, before), name or "{closure}"]

    def _take(self, pattern: "re.Pattern[str]") -> "re.Match[str] | None":
        found = pattern.match(self._rest)
        if found:
            self._rest = self._rest[found.end() :]
        return found
