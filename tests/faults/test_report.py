import pytest

from tests.faults.report import replace_table

PAGE = "# Page\n\n<!-- queue -->\nold\n<!-- /queue -->\n\nText.\n"


def test_a_table_replaces_the_old_one_and_keeps_the_text_around_it():
    page = replace_table(PAGE, "queue", ["steps", "doubles"], [[10_000, 0]], "make test-faults", "2026-11-26")
    assert page == (
        "# Page\n\n<!-- queue -->\n| steps | doubles |\n| --- | --- |\n| 10,000 | 0 |\n\n"
        "Made by `make test-faults`, 2026-11-26.\n<!-- /queue -->\n\nText.\n"
    )


def test_a_table_without_a_place_is_an_error():
    with pytest.raises(ValueError, match="races"):
        replace_table(PAGE, "races", [], [], "make test-faults")
