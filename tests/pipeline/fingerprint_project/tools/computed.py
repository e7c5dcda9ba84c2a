def double_up(x):
    return 2 * x


def double_down(x):
    return x / 2
