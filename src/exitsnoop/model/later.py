"""Modules that are imported on first use."""


class Later:
    """Stands for a module until then.

    Annotations name their types through it where a start must not wait for the import, and where
    typing.get_type_hints() must find them all the same.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> object:
        from importlib import import_module

        return getattr(import_module(self._name), attribute)


class LaterUnpack:
    """Stands for typing.Unpack, which Python 3.10 does not have: there Unpack[T] is T."""

    def __getitem__(self, kind: object) -> object:
        import typing

        unpack = getattr(typing, "Unpack", None)
        return unpack[kind] if unpack else kind
