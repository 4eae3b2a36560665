from __future__ import annotations

from cups_ros.pairing import DEPTH, Pairing


def test_nearest_within_the_tolerance_is_taken_once() -> None:
    pairing: Pairing[str, str] = Pairing(10)
    assert pairing.add_right(100, "a") == (None, 0)
    assert pairing.add_right(112, "b") == (None, 0)
    assert pairing.add_left(108, "x") == (("x", "b"), 0)
    assert pairing.add_left(108, "y") == (("y", "a"), 0)  # b is taken, a lies 8 away
    assert pairing.add_left(111, "z") == (None, 0)
    assert pairing.add_right(122, "c") == (None, 0)  # 11 away
    assert pairing.add_right(121, "d") == (("z", "d"), 0)


def test_sides_are_bounded_and_given_up_items_are_counted() -> None:
    pairing: Pairing[int, int] = Pairing(0)
    assert [pairing.add_left(n, n)[1] for n in range(DEPTH + 2)] == [0] * DEPTH + [1, 1]
    assert pairing.add_right(0, 0) == (None, 0) and pairing.add_right(2, 2) == ((2, 2), 0)
    assert pairing.clear() == DEPTH - 1 and pairing.add_right(5, 5) == (None, 0)
