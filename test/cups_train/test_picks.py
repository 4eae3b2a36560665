from cups_train.picks import evenly_spaced


def test_picks_are_spread_from_the_first_to_the_last():
    assert evenly_spaced(11, 3) == [0, 5, 10] and evenly_spaced(7, 1) == [0]
    assert evenly_spaced(3, 8) == [0, 1, 2] and evenly_spaced(0, 8) == []
