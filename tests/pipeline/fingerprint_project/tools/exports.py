def origin(x):
    return x + 21


def other_origin(x):
    return x + 22
