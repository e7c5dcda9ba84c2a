from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.errors import NotFound
from lineal.materializers import load, runs_code, save
from lineal.materializers.exceptions import StoredException

RoundTrip = Callable[[Any], tuple[Any, Manifest]]


class Refused(Exception):
    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        try:
            raise ZeroDivisionError("inner")
        except ZeroDivisionError:
            raise error from cause
    except ValueError as caught:
        return caught


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a", 1, (2,)),
        KeyError("k"),
        FileNotFoundError(2, "No such file", "/x"),
        OSError("free text"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        ImportError("no", name="shop", path="/y"),
        SyntaxError("bad", ("f.py", 1, 2, "x", 1, 3)),
        StopIteration(3),
        SystemExit(2),
        ExceptionGroup("several", [ValueError("a"), ExceptionGroup("inner", [KeyError("b")])]),
        Refused(3, reason="no"),
    ],
    ids=repr,
)
def test_an_exception_comes_back_with_what_it_says(round_trip: RoundTrip, error: BaseException) -> None:
    loaded, manifest = round_trip(error)
    assert type(loaded) is type(error)
    assert (str(loaded), repr(loaded), repr(loaded.args)) == (str(error), repr(error), repr(error.args))
    for name in ("errno", "filename", "name", "path", "code", "lineno", "object", "value"):
        assert getattr(loaded, name, None) == getattr(error, name, None)
    assert not runs_code(manifest, MemoryBlobs())


def test_cause_context_notes_and_the_text_of_the_traceback_are_kept(round_trip: RoundTrip) -> None:
    error = raised(ValueError("outer"), KeyError("cause"))
    error.add_note("look here")
    loaded, _ = round_trip({"error": error})
    loaded = loaded["error"]
    assert (type(loaded.__cause__), type(loaded.__context__)) == (KeyError, ZeroDivisionError)
    assert loaded.__suppress_context__
    assert loaded.__notes__ == ["look here"]
    assert "raise error from cause" in loaded.traceback_text
    assert "1/0" not in loaded.traceback_text
    assert loaded.__traceback__ is None


def test_a_long_chain_of_causes_is_written_once() -> None:
    error: BaseException = ValueError("first")
    for number in range(60):
        cause = error
        try:
            try:
                raise cause
            except ValueError as caught:
                raise ValueError(number) from caught
        except ValueError as caught:
            error = caught
    blobs = MemoryBlobs()
    saved = save(error, blobs)
    assert saved.manifest.size_bytes < 60_000
    loaded: Any = load(saved.manifest, blobs)
    assert loaded.__cause__.__cause__.args == (57,)
    assert loaded.__cause__ is loaded.__context__


def test_an_exception_whose_class_may_not_be_imported_has_a_stand_in_that_can_be_raised() -> None:
    blobs = MemoryBlobs()
    error = Refused(3, reason="no")
    error.__cause__ = Refused(4, reason="first")
    loaded = load(save(error, blobs).manifest, blobs, allow_pickle=False)
    with pytest.raises(StoredException, match="3: no") as caught:
        raise loaded  # type: ignore[misc]
    assert caught.value.type_name.endswith(":Refused")
    assert caught.value.code == 3  # type: ignore[attr-defined]
    assert str(caught.value.__cause__) == "4: first"


def test_an_exception_that_pickles_itself_is_pickled() -> None:
    assert runs_code(save(NotFound("x", hint="y"), MemoryBlobs()).manifest, MemoryBlobs())
