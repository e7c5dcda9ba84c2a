import functools
from contextlib import contextmanager


def repeated(times):
    def decorate(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            for _ in range(times):
                result = function(*args, **kwargs)
            return result

        return call

    return decorate


def shifted(function):
    def call(x):
        return function(x + 1)

    return call


@contextmanager
def opened(x):
    yield x + 61
