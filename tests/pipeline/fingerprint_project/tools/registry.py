from functools import lru_cache, partial, singledispatch

registry = {}
registry["a"] = lambda x: x + 81
registry["b"] = lambda x: x + 82


def scale(x, by):
    return x * by


def stretch(x, by):
    return x + by


scaled = partial(scale, by=83)


@lru_cache(maxsize=8)
def memoised(x):
    return x + 84


@singledispatch
def by_type(x):
    return x


@by_type.register(int)
def _(x):
    return x + 85


@by_type.register(str)
def _(x):
    return x + "86"


CHOICES = {"mean": scale, "sum": stretch}


def chosen(x):
    return CHOICES["mean"](x, 2)
