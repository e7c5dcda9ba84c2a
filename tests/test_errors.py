"""The tree of errors."""

from __future__ import annotations

import pickle

import pytest

from lineal import errors
from lineal.errors import BlobMissing, LinealError, NotFound, StoreFull, UnsavableValue


def test_errors_are_ours_and_say_what_where_and_what_to_do() -> None:
    error = BlobMissing("blob ab… is gone", where="/store", hint="Run it again.", digest=b"ab")
    assert str(error) == "blob ab… is gone [/store]\nHint: Run it again."
    assert (error.what, error.where, error.hint, error.details) == (
        "blob ab… is gone",
        "/store",
        "Run it again.",
        {"digest": b"ab"},
    )


def test_errors_can_be_caught_by_what_to_do_next_and_by_their_plain_kind() -> None:
    assert issubclass(BlobMissing, NotFound)
    assert issubclass(BlobMissing, KeyError)
    assert issubclass(UnsavableValue, ValueError)
    assert issubclass(StoreFull, OSError)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 20
    assert all(issubclass(kind, LinealError) for kind in kinds)


def test_a_failure_of_something_larger_keeps_what_is_known_of_the_smaller() -> None:
    small = UnsavableValue("a socket has no byte form", where="value[3]", hint="Close it.", size=4)
    large = small.about("output 'x' can't be saved")
    assert str(large) == "output 'x' can't be saved: a socket has no byte form [value[3]]\nHint: Close it."
    assert (type(large), large.details) == (UnsavableValue, {"size": 4})
    assert small.about("y", hint="Other.").hint == "Other."


def test_an_error_survives_pickling_with_its_cause() -> None:
    try:
        raise StoreFull("full", needed_bytes=3) from OSError(28, "No space left on device")
    except StoreFull as error:
        restored = pickle.loads(pickle.dumps(error))
    assert (str(restored), restored.details) == ("full", {"needed_bytes": 3})
    assert isinstance(restored.__cause__, OSError)
    with pytest.raises(OSError, match="full"):
        raise restored
