def compute(x):
    return x + 31


def idle(x):
    return x
