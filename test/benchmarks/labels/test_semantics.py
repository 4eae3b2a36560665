"""Settings of benchmarks/labels/semantics.py."""

import pytest

from cups_train.errors import CupsError


def test_another_call_with_other_settings_is_refused(program, tmp_path):
    program.keep_settings(tmp_path, {"seed": 1})
    program.keep_settings(tmp_path, {"seed": 1})
    with pytest.raises(CupsError, match="name another --out"):
        program.keep_settings(tmp_path, {"seed": 2})
