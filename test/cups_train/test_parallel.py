"""Frames over processes give what one process gives, in order, without running ahead."""

from math import factorial

from cups_train.parallel import AHEAD, map_frames


def test_order_is_kept_and_the_source_is_read_as_needed():
    taken = []

    def items():
        for i in range(12):
            taken.append(i)
            yield i

    answers = map_frames(factorial, items(), 2)
    assert next(answers) == 1 and len(taken) <= 2 * AHEAD
    assert [1, *answers] == [factorial(i) for i in range(12)] == list(map_frames(factorial, range(12), 1))
