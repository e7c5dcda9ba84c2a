import enum
from collections import namedtuple
from dataclasses import dataclass, field
from functools import cached_property


class Meta(type):
    def __call__(cls, *args):
        instance = super().__call__(*args)
        instance.made = 1
        return instance


class Mixin:
    def extra(self):
        return 71


class Other:
    def extra(self):
        return 72


class Base:
    limit = 73

    def value(self):
        return self.limit + self.extra()


class Derived(Base, Mixin, Other, metaclass=Meta):
    def __init__(self, x):
        self.x = x

    @property
    def doubled(self):
        return self.x * 2

    @doubled.setter
    def doubled(self, value):
        self.x = value / 2

    @staticmethod
    def fixed():
        return 74

    @classmethod
    def made_from(cls, x):
        return cls(x + 75)

    @cached_property
    def slow(self):
        return self.x + 76

    class Inner:
        depth = 77


def fresh():
    return [1]


@dataclass(frozen=True)
class Options:
    rate: float = 0.5
    items: list = field(default_factory=fresh)
    depth: int = 3


Point = namedtuple("Point", "x y", defaults=(8,))


class Color(enum.Enum):
    RED = 1
    GREEN = 2


class Tracked:
    def __init__(self, start):
        self.start = start
        self.seen = {"a", "b"}

    def get(self):
        return self.start + 78


Tracked.step = 79
