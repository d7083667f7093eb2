import pytest

from tests.faults.report import first_case, longest_seconds, replace_table, session_row

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


def test_a_later_session_continues_a_table():
    first = replace_table(PAGE, "queue", ["cases", "doubles"], [["1–398", 0]], "make test-faults", "2026-11-26")
    both = replace_table(
        first, "queue", ["cases", "doubles"], [["399–900", 1]], "make test-faults", "2026-11-27", more=True
    )
    assert "| --- | --- |\n| 1–398 | 0 |\n| 399–900 | 1 |\n\nMade by" in both
    assert "2026-11-26" not in both


def test_first_and_minutes_count_in_the_long_form_only(monkeypatch):
    monkeypatch.setenv("FIRST", "398")
    monkeypatch.setenv("MINUTES", "2")
    monkeypatch.setenv("DIGITLAB_FAULTS", "long")
    assert (first_case(), longest_seconds(5, 9)) == (398, 120)
    assert session_row(602, {"doubles": 0})["cases"] == "399–1,000"
    monkeypatch.delenv("DIGITLAB_FAULTS")
    assert (first_case(), longest_seconds(5, 9)) == (0, 5)
