"""Names of functions, for people."""

import re

_PART_OF_NAME = re.compile(r"L?([1-9][0-9]{0,3})|(St|C[123]|D[012])")
_DISAMBIGUATOR = re.compile(r"s[0-9A-Za-z]*_")
_LENGTH = re.compile(r"(0|[1-9][0-9]{0,3})_?")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BASE_62 = re.compile(r"[0-9A-Za-z]{0,8}_")
_CONSTANT = re.compile(r"n?[0-9a-f]*_")
_MOST_PARTS = 256  # of a name; what was there before may be repeated without end
# What stands for a character in the older names of Rust.
_CHARACTERS = dict(zip("SP BP RF LT GT LP RP C".split(), "@*&<>(),", strict=True))
_ESCAPE = re.compile(r"\$(?:u([0-9a-f]{2,6})|(SP|BP|RF|LT|GT|LP|RP|C))\$")


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
        return "::".join(map(_of_older_rust, names[:-1]))  # the last is a hash
    return "::".join(names)


def _of_older_rust(name: str) -> str:
    """Return a part of a name without its escapes: $LT$ is <, $u7b$ is {, and .. is ::."""
    if name.startswith("_$"):
        name = name[1:]
    name = _ESCAPE.sub(lambda one: _CHARACTERS.get(one[2]) or chr(int(one[1], 16)), name)
    return "{closure}" if name == "{{closure}}" else name.replace("..", "::")


class _Path:
    """A path of Rust, as its "v0" mangling has it (RFC 2603): without generic arguments."""

    def __init__(self, mangled: str) -> None:
        self._all = self._rest = mangled
        self._left = _MOST_PARTS

    def names(self) -> list[str]:
        """Return the parts of the path; [] if it is not a simple one."""
        kind, self._rest = self._rest[:1], self._rest[1:]
        self._left -= 1
        if self._left < 0:
            return []
        if kind == "C":
            return self._and_name([""])
        if kind == "N":
            self._rest = self._rest[1:]  # the namespace: a value, a type, a closure
            return self._and_name(self.names())
        if kind == "I":
            found = self.names()
            if not self._skips_arguments():
                self._rest = ""  # nothing can be read after them
            return found
        if kind == "M":  # a method: what it is of comes after where that was written
            self._take(_DISAMBIGUATOR)
            return self.names() and self.names()
        return self._names_before() if kind == "B" else []

    def _names_before(self) -> list[str]:
        """Return the path that was at a position in base 62, of which "_" is 0, and "0_" is 1."""
        digits = self._take(_BASE_62)
        if not digits:
            return []
        at = 0
        for digit in digits[0][:-1]:
            at = at * 62 + _DIGITS.index(digit)
        rest, self._rest = self._rest, self._all[at + (len(digits[0]) > 1) :]
        found = self.names()
        self._rest = rest
        return found

    def _and_name(self, before: list[str]) -> list[str]:
        self._take(_DISAMBIGUATOR)
        found = self._take(_LENGTH)
        if not before or found is None:
            return []
        name, self._rest = self._rest[: int(found[1])], self._rest[int(found[1]) :]
        return [*filter(None, before), name or "{closure}"]

    def _skips_arguments(self) -> bool:
        """Go on after the arguments of a generic function; return whether they are simple."""
        while self._rest and not self._rest.startswith("E"):
            if not self._skips_argument():
                return False
        self._rest = self._rest[1:]
        return True

    def _skips_argument(self) -> bool:
        kind = self._rest[0]
        if kind in "CNIM":
            return bool(self.names())
        self._rest = self._rest[1:]
        self._left -= 1
        if self._left < 0:
            return False
        if kind in "LB":  # a lifetime; what was there before
            return bool(self._take(_BASE_62))
        if kind == "K":  # a constant: its type, its value
            return self._skips_inner() and bool(self._take(_CONSTANT))
        if kind in "RQ":  # a reference, maybe with a lifetime
            if self._rest.startswith("L"):
                self._skips_argument()
            return self._skips_inner()
        if kind in "POS":  # pointers, a slice
            return self._skips_inner()
        if kind == "T":
            return self._skips_arguments()
        return kind.islower()  # a type of the language

    def _skips_inner(self) -> bool:
        return bool(self._rest) and self._skips_argument()

    def _take(self, pattern: "re.Pattern[str]") -> "re.Match[str] | None":
        found = pattern.match(self._rest)
        if found:
            self._rest = self._rest[found.end() :]
        return found
