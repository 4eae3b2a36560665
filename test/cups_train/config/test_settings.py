"""Settings that concern several sections."""
import pytest

from cups_train.config import load_config
from cups_train.errors import CupsError


def test_classes_and_kinds_share_one_byte():
    assert load_config(None, ["semantics.classes=230"]).labels.kinds == 24
    with pytest.raises(CupsError, match="found 231 semantics.classes and 24 labels.kinds, of at most 254 together"):
        load_config(None, ["semantics.classes=231"])
    assert load_config(None, ["semantics.classes=254", "labels.kinds=0"]).semantics.classes == 254
