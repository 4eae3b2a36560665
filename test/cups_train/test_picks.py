from cups_train.picks import OVERLAYS, evenly_spaced, shown


def test_picks_are_spread_from_the_first_to_the_last():
    assert evenly_spaced(11, 3) == [0, 5, 10] and evenly_spaced(7, 1) == [0]
    assert evenly_spaced(3, 8) == [0, 1, 2] and evenly_spaced(0, 8) == []


def test_few_frames_of_a_recording_are_drawn():
    assert shown(10) == {0, 3, 6, 9} and shown(2) == {0, 1} and len(shown(1000)) == OVERLAYS
    assert shown(0) == frozenset()
