"""``python -m lineal`` is the command ``lineal``."""

from __future__ import annotations

from .cli import command

if __name__ == "__main__":
    raise SystemExit(command())
