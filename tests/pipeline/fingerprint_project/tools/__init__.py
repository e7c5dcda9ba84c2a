"""Hands on one function, loads another module when asked."""

from tools.exports import origin as exported


def __getattr__(name):
    if name == "tables":
        from tools import computed

        return computed
    raise AttributeError(name)


__all__ = ["exported"]
