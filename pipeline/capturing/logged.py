"""What a step logs and what it is warned of: records with their levels, kept as well as shown.

The configuration of `logging` stays the user's. What only the root logger's level keeps from being shown is kept all
the same, from INFO up; what a logger with a level of its own, a filter or `logging.disable` refuses is not.
"""

from __future__ import annotations

import logging
import warnings
from contextvars import ContextVar
from typing import Any, Protocol

from ...replacements import Replacement
from .threads import inherited

WARNINGS_LOGGER = "py.warnings"
"""The logger that `logging.captureWarnings` takes, too."""

_ONLY_KEPT = "_lineal_only_kept"
_formatter = logging.Formatter()


class TakesRecords(Protocol):
    """Keeps what a step prints and logs."""

    def add_record(self, level: int, logger: str, text: str) -> None:
        """Keep a record."""


log_in_force: ContextVar[Any] = inherited(ContextVar("lineal_log", default=None))
"""What keeps the output of this context, `TakesRecords`; None where nothing does."""


def _is_enabled_for(logger: logging.Logger, level: int) -> bool:
    if _IS_ENABLED_FOR.previous(logger, level):
        return True
    return level >= logging.INFO and log_in_force.get() is not None and _is_up_to_root(logger, level)


def _is_up_to_root(logger: logging.Logger, level: int) -> bool:
    """Whether nothing but the root's level keeps a record of this level from being made."""
    if logger.disabled or logger.manager.disable >= level:
        return False
    above: logging.Logger | None = logger
    while above is not None and above.parent is not None:
        if above.level:
            return False
        above = above.parent
    return True


def _make_record(logger: logging.Logger, name: str, level: int, *args: Any, **kwargs: Any) -> logging.LogRecord:
    record: logging.LogRecord = _MAKE_RECORD.previous(logger, name, level, *args, **kwargs)
    if log_in_force.get() is not None and not _IS_ENABLED_FOR.previous(logger, level):
        setattr(record, _ONLY_KEPT, True)
    return record


def _pass_on(logger: logging.Logger, record: logging.LogRecord) -> None:
    log = log_in_force.get()
    if log is None:
        _PASS_ON.previous(logger, record)
        return
    log.add_record(record.levelno, record.name, _text(record))
    if getattr(record, _ONLY_KEPT, False):
        return
    # What a handler writes to the streams says the same once more.
    token = log_in_force.set(None)
    try:
        _PASS_ON.previous(logger, record)
    finally:
        log_in_force.reset(token)


def _text(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001 — the arguments' own code; the handlers say what is wrong with it
        text = record.msg if isinstance(record.msg, str) else f"<{type(record.msg).__qualname__}>"
    if record.exc_info and record.exc_info[0] is not None:
        text = f"{text}\n{_formatter.formatException(record.exc_info)}"
    if record.stack_info:
        text = f"{text}\n{record.stack_info}"
    return text


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    log = log_in_force.get()
    if log is None or file is not None:
        _SHOW_WARNING.previous(message, category, filename, lineno, file, line)
        return
    log.add_record(logging.WARNING, WARNINGS_LOGGER, warnings.formatwarning(message, category, filename, lineno, line))
    token = log_in_force.set(None)
    try:
        _SHOW_WARNING.previous(message, category, filename, lineno, file, line)
    finally:
        log_in_force.reset(token)


_IS_ENABLED_FOR = Replacement(logging.Logger, "isEnabledFor", _is_enabled_for)
_MAKE_RECORD = Replacement(logging.Logger, "makeRecord", _make_record)
_PASS_ON = Replacement(logging.Logger, "callHandlers", _pass_on)
_SHOW_WARNING = Replacement(warnings, "showwarning", _show_warning)

RECORDS = (_IS_ENABLED_FOR, _MAKE_RECORD, _PASS_ON, _SHOW_WARNING)
"""To be put in while steps run."""
