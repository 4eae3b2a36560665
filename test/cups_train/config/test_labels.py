"""Settings of the labels that a published rule would pass over are refused beside it."""

import pytest

from cups_train.config import load_config
from cups_train.errors import CupsError


def test_the_published_split_takes_no_setting_that_it_passes_over():
    assert (
        load_config(None, ["labels.split=published", "labels.likeness=0", "labels.min_instances=0"]).labels.split
        == "published"
    )
    with pytest.raises(
        CupsError, match=r"found labels.split published with labels.likeness 3 and labels.min_instances 5"
    ):
        load_config(None, ["labels.split=published"])


def test_the_published_vote_takes_no_setting_that_it_passes_over():
    assert (
        load_config(None, ["labels.votes=published", "labels.kinds=0", "labels.thing_vote=1"]).labels.votes
        == "published"
    )
    with pytest.raises(
        CupsError, match="found labels.votes published with labels.kinds 24 and labels.thing_vote 0.2, of which"
    ):
        load_config(None, ["labels.votes=published"])
