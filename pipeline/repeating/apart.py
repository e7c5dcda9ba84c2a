"""Apart: a call in a fresh process that has the recorded code of a run, and no module of the calling one.

The caller writes the code and the call into a private folder, and waits. If it dies or is interrupted, the process is
interrupted too, so that what it was running is recorded as cancelled.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import CodeMissing, Conflict, LinealError, LoadRefused, UnsavableValue
from ...history import Reader, RunView
from ...in_force import InForce, entered
from ...store import open_store
from ..fingerprint.boundary import is_outside_project
from ..surroundings.script import load_main
from .recorded_code import Restored, restore
from .trusted import require_trusted

_CODE, _CALL, _ANSWER = "code", "call", "answer"
_PACKAGE = Path(__file__).parents[1]
_OURS = [str(_PACKAGE.parent)] if _PACKAGE.name == __name__.partition(".")[0] else []
"""Where Lineal itself is imported from; nowhere if it was installed to be edited."""


class _Call(NamedTuple):
    """What to do."""

    store: Path
    run_name: str
    restored: Restored
    function: Callable[..., Any]
    """One of ours."""
    arguments: bytes
    """Pickled: they are loaded once the recorded code is there, whose classes they may refer to."""


def call_apart(in_force: InForce, run: RunView, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of ours with the recorded code of a run, and this store in force; give what it returns.

    Args:
        in_force: The store that has the run.
        run: Whose code it is.
        function: Takes the arguments, and returns what can be pickled.
        arguments: Their classes are looked up by name in the recorded code.

    Raises:
        CodeMissing: Code was not recorded, or what was recorded can't be imported; nothing has run.
        LoadRefused: The store was opened not to execute any code that it holds, or the run was imported from one that
            is not trusted.
        UnsavableValue: An argument can't be pickled.
        Conflict: The process died.
        LinealError: Whatever the function raised.
    """
    if not in_force.allow_pickle:
        raise LoadRefused(
            f"the code that {run.name} ran is in the store, which was opened not to execute any",
            hint="Open it with allow_pickle=True.",
        )
    store = in_force.writable()
    require_trusted(Reader(store), run)
    store.flush()
    try:
        packed = pickle.dumps(arguments)
    except Exception as error:
        raise UnsavableValue(f"what is to be different can't be passed on: {error}") from error
    with tempfile.TemporaryDirectory(prefix="lineal-") as scratch:
        folder = Path(scratch)
        restored = restore(Reader(store, allow_pickle=True), run, folder / _CODE)
        call = _Call(store.path.absolute(), run.name, restored, function, packed)
        (folder / _CALL).write_bytes(pickle.dumps(call))
        _run_process(folder)
        return _answer(folder, run)


def _run_process(folder: Path) -> None:
    """Start the process and wait for its end; closing its stdin interrupts it."""
    start = f"import sys; sys.path[:0] = {_OURS!r}; from {__name__} import main; main({str(folder)!r})"
    command = [sys.executable, "-P", "-c", start]
    # In a session of its own, since the terminal would interrupt it once more.
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        try:
            process.wait()
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def _answer(folder: Path, run: RunView) -> Any:
    try:
        is_error, answer = pickle.loads((folder / _ANSWER).read_bytes())
    except FileNotFoundError:
        raise Conflict(
            f"the process that ran the code of {run.name} died", hint="See what it printed, and try again."
        ) from None
    if is_error:
        raise answer
    return answer


def main(scratch: str) -> None:
    """What the process does."""
    folder = Path(scratch)
    call: _Call = pickle.loads((folder / _CALL).read_bytes())
    _watch_caller()
    try:
        answer = False, _called(call, folder / _CODE)
    except (LinealError, KeyboardInterrupt, SystemExit) as error:
        if type(error.__cause__).__module__ != "builtins":
            error.__cause__ = None  # To unpickle it would import the module of its class, as it is today.
        answer = True, error
    (folder / _ANSWER).write_bytes(pickle.dumps(answer))


def _called(call: _Call, code: Path) -> Any:
    sys.path[:] = [str(code), *filter(is_outside_project, sys.path), *_OURS]
    sys.meta_path[:] = [one for one in sys.meta_path if not _finds_checkouts(one)]
    opened = InForce(open_store(call.store, create=False), read_only=False, allow_pickle=True)
    with entered(opened):
        try:
            if call.restored.main:
                load_main(call.restored.main, call.restored.package, call.restored.bound_in)
            arguments = pickle.loads(call.arguments)
        except Exception as error:
            raise not_importable(call.run_name, error) from error
        try:
            return call.function(*arguments)
        finally:
            opened.store.close()


def not_importable(run_name: str, error: Exception) -> CodeMissing:
    """What to say of recorded code whose import raised."""
    hint = "Only Python source is recorded, not what was compiled." if isinstance(error, ImportError) else None
    what = f"{type(error).__name__}: {error}"
    return CodeMissing(f"the recorded code of {run_name} can't be imported here: {what}", hint=hint)


def _finds_checkouts(finder: Any) -> bool:
    """Whether it finds what was installed to be edited: code of the project, as it is today."""
    return "editable" in (getattr(finder, "__module__", None) or "")


def _watch_caller() -> None:
    """Interrupt this process once its caller lets go of it; what reads its stdin finds none."""
    pipe = os.dup(0)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # It is ignored where the caller is in the background.

    def watch() -> None:
        os.read(pipe, 1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, name="lineal-caller", daemon=True).start()
