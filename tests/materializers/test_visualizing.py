"""Visualizing: what a value draws of itself is kept within bounds, and whatever a materializer does harms nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import pytest

from lineal.cas.memory import MemoryBlobs
from lineal.materializers import Materializer, PartReader, PartWriter, Visualization, may_show, visualize
from lineal.materializers.visualizing import EACH_MAX_BYTES


class Drawn(Materializer[Any]):
    format: ClassVar[str] = "test.drawn/1"
    types = ()

    def __init__(self, draw: Callable[[Any], Iterable[Any]]) -> None:
        self._draw = draw

    def save(self, value: Any, parts: PartWriter) -> None: ...

    def load(self, head: Any, parts: PartReader) -> Any: ...

    def visualize(self, value: Any) -> Iterable[Any]:
        return self._draw(value)


class Silent(Drawn):
    visualize = Materializer.visualize


def text(name: str, content: str | bytes = "x") -> Visualization:
    return Visualization(name, "text/plain", content)


def kept(draw: Callable[[Any], Iterable[Any]], **options: Any) -> tuple[list[str], tuple[str, ...]]:
    found = visualize(object(), Drawn(draw), MemoryBlobs(), **options)
    return [one.name for one in found.visualizations], found.problems


def test_what_is_drawn_is_put_in_its_order_text_as_utf_8() -> None:
    blobs = MemoryBlobs()
    found = visualize(1, Drawn(lambda value: [text("b", "ü\ud800"), text("a", bytes([value]))]), blobs)
    assert [(one.name, one.media_type) for one in found.visualizations] == [("b", "text/plain"), ("a", "text/plain")]
    assert [blobs.read(one.blob) for one in found.visualizations] == [b"\xc3\xbc\\ud800", b"\x01"]
    assert [one.size_bytes for one in found.visualizations] == [8, 1]


def test_what_was_drawn_before_an_error_is_kept_and_the_error_is_told() -> None:
    def draw(_: Any) -> Iterator[Visualization]:
        yield text("first")
        raise RuntimeError("two\nlines")

    assert kept(draw) == (["first"], ("RuntimeError: two lines",))


def test_an_error_that_can_not_be_said_a_wrong_type_and_an_exit_harm_nobody() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def raising(error: BaseException) -> Callable[[Any], Iterable[Any]]:
        def draw(_: Any) -> Iterable[Any]:
            raise error

        return draw

    assert kept(raising(Mute())) == ([], ("Mute",))
    assert kept(raising(SystemExit(3))) == ([], ("SystemExit: 3",))
    assert kept(raising(KeyboardInterrupt())) == ([], ("KeyboardInterrupt",))
    assert kept(lambda _: 5) == ([], ("TypeError: 'int' object is not iterable",))  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("text", "visualize gave a str, not a Visualization"),
        (text(""), "a visualization can't be called ''"),
        (text("a\nb"), r"a visualization can't be called 'a\nb'"),
        (text("good"), "two visualizations are called 'good'"),
        (Visualization("a", "text", "x"), "a: 'text' is no media type"),
        (Visualization("a", 'text/html"><script>', "x"), "a: 'text/html\"><script>' is no media type"),
        (Visualization("a", "text/plain", 5), "a: its content is a int, neither bytes nor text"),  # type: ignore[arg-type]
        (text("a", "x" * (EACH_MAX_BYTES + 1)), "a: it has 4,194,305 bytes, and one may have no more than 4,194,304"),
    ],
)
def test_what_can_not_be_kept_is_told_and_the_rest_is_kept(wrong: Any, problem: str) -> None:
    assert kept(lambda _: [text("good"), wrong, text("last")]) == (["good", "last"], (problem,))


def test_neither_number_nor_size_of_all_is_without_bound() -> None:
    names, problems = kept(lambda _: (text(str(number)) for number in iter(int, 1)))
    assert names == ["0"]
    names, problems = kept(lambda _: (text(f"{number}") for number in range(10**9)))
    assert (len(names), problems) == (32, ("there are more than 32",))
    names, problems = kept(lambda _: (text(f"{number}", bytes(EACH_MAX_BYTES)) for number in range(5)))
    assert names == ["0", "1", "2", "3"]
    assert problems == ("4: it has 4,194,304 bytes, and all of a value may have no more than 16,777,216",)


def test_who_draws_for_too_long_is_stopped_and_what_there_was_is_kept() -> None:
    stopped = threading.Event()

    def draw(_: Any) -> Iterator[Visualization]:
        yield text("first")
        try:
            while True:
                pass
        finally:
            stopped.set()

    assert kept(draw, limit_s=0.05) == (["first"], ("drawing took more than 0.05 s, and was stopped after 1",))
    assert stopped.wait(10)


def test_who_starts_threads_while_it_is_stopped_comes_to_an_end() -> None:
    ended = threading.Semaphore(0)

    def draw(_: Any) -> Iterator[Visualization]:
        try:
            while True:
                thread = threading.Thread(target=int)
                thread.start()
                thread.join()
        finally:
            ended.release()
        yield text("never")

    start = threading.Thread.start
    for _ in range(20):
        assert kept(draw, limit_s=0.01)[0] == []
    assert all(ended.acquire(timeout=10) for _ in range(20))
    while any(thread.name == "lineal-visualize" for thread in threading.enumerate()):
        time.sleep(0.001)
    assert threading.Thread.start is start


def test_who_waits_is_given_more_time_than_who_computes_but_not_any() -> None:
    def draw(_: Any) -> Iterator[Visualization]:
        time.sleep(0.15)
        yield text("late")

    assert kept(draw, limit_s=0.05) == (["late"], ())
    release = threading.Event()
    assert kept(lambda _: iter(lambda: release.wait(60) or text("never"), 1), limit_s=0.02)[0] == []
    release.set()


@pytest.mark.parametrize(
    "value",
    [None, True, 5, 2.5, 1j, "short", b"short", "", [1, 2], (), {}, {1, "a"}, {"id": 1, "name": "x", "share": 0.5}],
)
def test_what_shows_all_it_has_where_it_is_named_is_not_asked(value: Any) -> None:
    assert not may_show(value, Drawn(lambda _: [text("a")]))


@pytest.mark.parametrize("value", ["long" * 100, {"a": 1.0}, [[1]], list(range(100)), object()])
def test_what_has_more_is_asked_if_its_materializer_has_something_to_show(value: Any) -> None:
    assert may_show(value, Drawn(lambda _: [text("a")]))
    assert not may_show(value, Silent(lambda _: [text("a")]))
