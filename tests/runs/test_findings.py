"""What the charts of runs say, against reports and rows made by hand."""

from __future__ import annotations

import pytest

from mnist_core.runs import findings


def reports(values: list[float], training: list[float], metric: str) -> list[dict[str, float]]:
    """A report after each epoch of ten steps."""
    return [
        {"step": 10 * epoch, "epoch": epoch, f"val_{metric}": value, metric: fitted}
        for epoch, (value, fitted) in enumerate(zip(values, training, strict=True), 1)
    ]


@pytest.mark.parametrize(
    ("metric", "validation", "training", "said"),
    [
        ("accuracy", [0.8, 0.9, 0.95], [0.8, 0.9, 0.95], "still rising"),
        ("loss", [0.8, 0.4, 0.2], [0.8, 0.4, 0.2], "still falling"),
        ("accuracy", [0.9, 0.98, 0.9801], [0.9, 0.98, 0.99], "leveled off at 98.0%"),
        ("loss", [0.4, 0.2, 0.2001], [0.4, 0.2, 0.1], "leveled off at 0.200"),
        ("accuracy", [0.9, 0.98, 0.96, 0.95], [0.9, 0.98, 0.99, 0.999], "best after epoch 2 and has been worse since"),
        ("loss", [0.4, 0.2, 0.3, 0.3], [0.4, 0.2, 0.1, 0.05], "best after epoch 2 and has been worse since"),
        ("accuracy", [0.9, 0.98, 0.95], [0.9, 0.98, 0.999], "was best after epoch 2."),
        ("accuracy", [0.98, 0.9, 0.9805], [0.9, 0.98, 0.999], "leveled off"),
        ("accuracy", [0.98, 0.9805], [0.9, 0.98], "is 98.0% after 2 epochs"),
    ],
)
def test_learning_curve_says_where_validation_is_heading(
    metric: str, validation: list[float], training: list[float], said: str
) -> None:
    assert said in findings.learning_curve(reports(validation, training, metric), metric)


def test_learning_curve_gives_no_advice_while_the_run_still_trains() -> None:
    rising = reports([0.8, 0.9], [0.8, 0.9], "accuracy")
    assert "rising: more epochs" in findings.learning_curve(rising, "accuracy")
    assert "more epochs" not in findings.learning_curve(rising, "accuracy", live=True)


def test_learning_curve_calls_it_overfitting_only_while_the_training_improves() -> None:
    worse = [0.4, 0.2, 0.3, 0.3]
    assert "overfits" in findings.learning_curve(reports(worse, [0.4, 0.2, 0.1, 0.05], "loss"), "loss")
    assert "overfits" not in findings.learning_curve(reports(worse, [0.4, 0.2, 0.3, 0.3], "loss"), "loss")


def test_learning_curve_of_the_first_epoch() -> None:
    begun = [{"step": 1, "loss": 2.3, "accuracy": 0.1}, {"step": 2, "loss": 1.1, "accuracy": 0.6}]
    assert "fallen from 2.300 to 1.100" in findings.learning_curve(begun, "loss")
    assert "risen from 10.0% to 60.0%" in findings.learning_curve(begun, "accuracy")
    assert findings.learning_curve(begun[:1], "loss") == findings.learning_curve([], "loss") == ""
    one = [*begun, {"step": 3, "epoch": 1, "loss": 0.5, "accuracy": 0.8, "val_accuracy": 0.75}]
    assert "75.0%" in findings.learning_curve(one, "accuracy")


def test_run_curves_name_the_best_run_and_the_next() -> None:
    curves = {
        "a": [{"val_accuracy": 0.9, "loss": 0.2}, {"val_accuracy": 0.85, "loss": 0.1}],
        "b": [{"val_accuracy": 0.95, "loss": 0.3}],
        "c": [],
    }
    assert findings.run_curves(curves, "val_accuracy") == "b has the best validation accuracy, 95.0%; next is a: 90.0%."
    assert findings.run_curves(curves, "loss").startswith("a has the best training loss, 0.100")
    alone = findings.run_curves({"a": curves["a"]}, "val_accuracy")
    assert alone == "The best validation accuracy of a is 90.0%."
    assert "No run" in findings.run_curves({"c": []}, "loss")


def test_run_curves_do_not_rank_runs_that_are_equal_as_shown() -> None:
    curves = {"a": [{"val_accuracy": 0.9801}], "b": [{"val_accuracy": 0.98}], "c": [{"val_accuracy": 0.9}]}
    assert findings.run_curves(curves, "val_accuracy") == "a and b have the same best validation accuracy, 98.0%."
    more = {**curves, "d": curves["b"]}
    assert (
        findings.run_curves(more, "val_accuracy") == "a and 2 other runs have the same best validation accuracy, 98.0%."
    )


def test_accuracy_against_cost_names_the_best_run_and_a_cheaper_one_that_is_about_as_good() -> None:
    rows = [
        {"name": "large", "val_accuracy": 0.99, "parameters": 100_000},
        {"name": "small", "val_accuracy": 0.987, "parameters": 8_000},
        {"name": "weak", "val_accuracy": 0.9, "parameters": 100},
        {"name": "untested", "val_accuracy": None, "parameters": 1},
    ]
    said = findings.accuracy_against_cost(rows, "parameters")
    assert "large is the most accurate (99.0%)" in said and "small is within 0.5 points with 8%" in said
    assert "within" not in findings.accuracy_against_cost([rows[0], rows[2]], "parameters")
    assert findings.accuracy_against_cost(rows[3:], "parameters") == ""


@pytest.mark.parametrize(
    ("rates", "warm_up_epochs", "said"),
    [
        ((0.01, 0.01, 0.01), 0, "stays at 0.01"),
        ((0.01, 0.01, 0.001), 0, "starts at 0.01 and ends at 0.001"),
        ((0.0, 0.01, 0.001), 2, "rises to 0.01 in the first 2 epochs and ends at 0.001"),
        ((0.0, 0.01, 0.001), 1, "rises to 0.01 in the first epoch and ends at 0.001"),
        ((0.0, 0.01, 0.01), 0.25, "rises to 0.01 in the first 0.25 epochs and stays at 0.01"),
    ],
)
def test_learning_rates_say_how_they_start_and_end(
    rates: tuple[float, float, float], warm_up_epochs: float, said: str
) -> None:
    assert said in findings.learning_rates(*rates, warm_up_epochs)


def test_range_test_names_both_rates() -> None:
    assert "0.21" in findings.range_test(0.021, 0.21) and "0.021" in findings.range_test(0.021, 0.21)
