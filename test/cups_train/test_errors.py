from cups_train.errors import first_line


def test_the_first_line_of_what_a_library_says():
    assert first_line(ValueError("no such key\nat line 3")) == "no such key"
    assert first_line(ValueError(), "damaged") == "damaged" and first_line(ValueError()) == ""
