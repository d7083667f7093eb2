"""The command line: `python -m mnist_core COMMAND`. Results go to standard output, all else to standard error."""

from __future__ import annotations

import json
import logging
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from mnist_core.classifier import DEFAULT_MODEL, Classifier
from mnist_core.errors import DigitLabError, DrawingError, RunError
from mnist_core.recipes import RECIPES, Recipe, find, parse_override
from mnist_core.runs import Run, Status, create, find_run, list_runs, make_spec

as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON on standard output.")


class _Commands(click.Group):
    """Turns the library's errors into one line on standard error and exit status 2."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except DigitLabError as error:
            click.echo(f"Error: {error}", err=True)
            context.exit(2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Digit Lab without the browser: train, look at runs, classify drawings."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)


@main.command()
@as_json
def recipes(json_output: bool) -> None:
    """Every recipe: parameters, epochs, batch size, published figure."""
    rows = [_recipe_row(recipe) for recipe in RECIPES.values()]
    if json_output:
        return click.echo(json.dumps(rows, indent=1))
    _table(rows, ("name", "parameters", "epochs", "batch_size", "published"))


def _recipe_row(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "parameters": recipe.parameters,
        "epochs": recipe.settings.epochs,
        "batch_size": recipe.settings.batch_size,
        "published": recipe.published.text if recipe.published else None,
        "published_accuracy": recipe.published.accuracy if recipe.published else None,
        "title": recipe.title,
        "source": recipe.source,
        "note": recipe.note,
    }


@main.command()
@click.option("--recipe", default="canvas", show_default=True, help="Which recipe; `recipes` lists them.")
@click.option("--epochs", type=int, help="Passes over the training images.")
@click.option("--batch-size", type=int, help="Images a step.")
@click.option("--learning-rate", type=float, help="Of the optimizer; the peak of a schedule.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights, order, dropout and augmentation.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other setting: --set optimizer=SGD.")
@click.option("--data", default="full", show_default=True, help="`full`, `sample`, or a path.")
@as_json
def train(
    recipe: str, epochs: int | None, batch_size: int | None, learning_rate: float | None, seed: int,
    settings: tuple[str, ...], data: str, json_output: bool,
) -> None:  # fmt: skip
    """Trains in the foreground. Ctrl-C stops cleanly and keeps the model."""
    given = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    overrides = {name: value for name, value in given.items() if value is not None}
    overrides |= dict(parse_override(text) for text in settings)
    _tell(_train(recipe, overrides, data, seed), json_output)


@main.command()
@click.argument("run_id", metavar="RUN")
@click.option("--epochs", type=int, help="How many in all from now on; by default as before.")
@as_json
def resume(run_id: str, epochs: int | None, json_output: bool) -> None:
    """Goes on with a run that has ended, from its last finished epoch."""
    from mnist_core import jobs

    run = find_run(run_id)
    jobs.prepare_resume(run, epochs)
    _follow(run)
    _tell(run, json_output)


def _train(recipe: str, overrides: dict[str, Any], data: str, seed: int) -> Run:
    run = create(make_spec(recipe, overrides, data, seed))
    click.echo(f"{run.id}: {recipe}, seed {seed}. Ctrl-C stops it and keeps the model.", err=True)
    _follow(run)
    return run


def _follow(run: Run) -> None:
    """Trains a run to its end, with a progress bar on standard error."""
    from mnist_core.jobs import conclude, cores, start_worker

    process = start_worker(run, cores())
    with click.progressbar(length=1000, file=sys.stderr, item_show_func=_line, show_eta=False) as bar:
        while process.poll() is None:
            try:
                time.sleep(0.2)
                _advance(bar, run.status())
            except KeyboardInterrupt:
                run.ask(stop=True, paused=False)
        _advance(bar, run.status())
    conclude(run, process.returncode)


def _tell(run: Run, json_output: bool) -> None:
    """Prints what became of a run. Raises RunError where it has failed."""
    result = _result(run)
    if json_output:
        click.echo(json.dumps(result))
    else:
        click.echo(run.id)
        click.echo(run.status().message, err=True)
    if result["state"] not in ("finished", "stopped"):
        raise RunError(f"{run.id} {result['state']}: {run.status().message}")


def _advance(bar: Any, status: Status) -> None:
    bar.update(int(1000 * status.progress) - bar.pos, status)


def _line(status: Status | None) -> str:
    if status is None or not status.step:
        return status.message if status else ""
    left = f", {status.seconds_left:.0f} s left" if status.seconds_left is not None else ""
    epoch = min(status.epoch + 1, status.epochs)
    return f"epoch {epoch}/{status.epochs}, {status.images_per_second:,.0f} images/s{left}"


def _result(run: Run) -> dict[str, Any]:
    status, card = run.status(), run.card()
    return {
        "run": run.id,
        "state": status.state,
        "test_accuracy": card.get("test_accuracy"),
        "test_loss": card.get("test_loss"),
        "train_seconds": status.train_seconds,
        "images_per_second": status.images_per_second,
        "message": status.message,
    }


@main.command()
@as_json
def runs(json_output: bool) -> None:
    """The runs there are, newest first."""
    rows = [_result(run) for run in list_runs()]
    if json_output:
        return click.echo(json.dumps(rows, indent=1))
    _table(rows, ("run", "state", "test_accuracy", "test_loss", "train_seconds"))


@main.command()
@click.argument("run_id", metavar="RUN")
@as_json
def show(run_id: str, json_output: bool) -> None:
    """One run: what it trained and what became of it."""
    run = find_run(run_id)
    spec, status, card = run.spec(), run.status(), run.card()
    if json_output:
        metrics = run.metrics()
        shown = {"spec": spec.to_json(), "status": asdict(status), "card": card, "reports": len(metrics.rows)}
        return click.echo(json.dumps({"run": run.id, **shown}, indent=1))
    click.echo(f"{run.id}: {status.state}. {status.message}")
    click.echo(f"recipe {spec.recipe}, changed: {dict(spec.overrides) or 'nothing'}, seed {spec.seed}")
    click.echo(f"data: {status.data or spec.data}")
    _table([asdict(row) for row in spec.settings.architecture.summary()], ("layer", "output_shape", "parameters"))
    if {"test_accuracy", "test_loss"} <= card.keys():
        click.echo(f"test accuracy {card['test_accuracy']:.4f}, loss {card['test_loss']:.4f}")


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", default="default", show_default=True, help="`default`, or a run.")
@click.option("--plain", is_flag=True, help="Resize only, without MNIST's normalisation.")
def classify(files: tuple[Path, ...], model: str, plain: bool) -> None:
    """Reads drawings: PNG, JPEG, or .npz with `images`. One JSON line an image."""
    from mnist_core.drawing import normalise, plain_resize

    classifier, prepare = Classifier(_model_path(model)), plain_resize if plain else normalise
    unread = []
    for path in files:
        try:
            for index, drawing in enumerate(_drawings(path)):
                click.echo(json.dumps({"source": str(path), "index": index, **_reading(classifier, prepare(drawing))}))
        except DrawingError as error:  # the other files are read all the same
            unread.append(f"{path}: {error}")
    if unread:
        raise DrawingError("\n".join(unread))


def _reading(classifier: Classifier, normalised: Any) -> dict[str, Any]:
    reading, reason = classifier.read(normalised.image), None
    if normalised.blank:
        reason = "There is nothing drawn."
    elif reading.rejected:
        reason = "That does not look like a digit."
    return {
        "digit": None if normalised.blank else reading.digit,
        "confidence": 0.0 if normalised.blank else reading.confidence,
        "probabilities": [float(value) for value in reading.probabilities],
        "rejected": reason is not None,
        "reason": reason,
    }


# TypeError: a single .npy under another name. MemoryError: a header that announces more than there is.
_NOT_AN_ARCHIVE = (OSError, ValueError, KeyError, EOFError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error)


def _drawings(path: Path) -> Iterator[NDArray[np.uint8]]:
    from mnist_core.uploads import decode

    if path.suffix.lower() != ".npz":
        yield decode(path.read_bytes())
        return
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            images = archive["images"]
    except _NOT_AN_ARCHIVE as error:
        raise DrawingError(f"this is not an .npz with the key 'images' ({error}).") from None
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (3, 4)):
        raise DrawingError(
            f"images is {images.shape} {images.dtype}, expected uint8 of shape (N, H, W), (N, H, W, 3) or (N, H, W, 4)."
        )
    yield from images


def _model_path(model: str) -> Path:
    return DEFAULT_MODEL if model == "default" else find_run(model).model


@main.command()
@click.option("--model", default="default", show_default=True, help="`default`, or a run.")
@click.option("--data", default="full", show_default=True, help="`full`, `sample`, or a path.")
@as_json
def evaluate(model: str, data: str, json_output: bool) -> None:
    """Accuracy, loss, per-class figures, confusion matrix and calibration on the test images."""
    from mnist_core import evaluation
    from mnist_core.data import load, split, uncentered
    from mnist_core.jobs import cores

    classifier, mnist = Classifier(_model_path(model), cores()), load(data)
    name = "last-sixth" if model == "default" else find_run(model).spec().settings.split
    parts = split(mnist, name)
    parts = uncentered(parts) if classifier.input_size == 56 else parts
    found = evaluation.evaluate(classifier.probabilities(parts.x_test), parts.y_test)
    if json_output:
        head = {"model": model, "data": mnist.source, "images": len(parts.y_test)}
        return click.echo(json.dumps({**head, **found.to_json()}))
    click.echo(mnist.notice or mnist.source, err=True)
    click.echo(
        f"{len(parts.y_test):,} test images: accuracy {found.accuracy:.4f}, error {found.error_percent:.2f} %, "
        f"loss {found.loss:.4f}, calibration error {100 * found.calibration_error:.2f} %"
    )
    click.echo("rows: true digit, columns: read as")
    click.echo("\n".join(" ".join(f"{count:5d}" for count in row) for row in found.confusion))
    _table(found.to_json()["classes"], ("digit", "precision", "recall", "f1"))


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--data", default="full", show_default=True, help="`full`, `sample`, or a path.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--epochs", type=int, help="Fewer epochs than published, for a quick look.")
@as_json
def reproduce(names: tuple[str, ...], data: str, seed: int, epochs: int | None, json_output: bool) -> None:
    """Trains published recipes (all nine without a name) and prints published beside measured."""
    chosen = [find(name) for name in names] or [recipe for recipe in RECIPES.values() if recipe.published]
    rows = []
    for recipe in chosen:
        run = _train(recipe.name, {} if epochs is None else {"epochs": epochs}, data, seed)
        rows.append({"recipe": recipe.name, "parameters": recipe.parameters, **_comparison(recipe, run)})
        if run.status().state == "stopped":  # Ctrl-C means all of them
            break
    if json_output:
        return click.echo(json.dumps(rows, indent=1))
    _table(rows, ("recipe", "parameters", "published", "measured_on", "measured", "holds", "test_accuracy"))


def _comparison(recipe: Recipe, run: Run) -> dict[str, Any]:
    """What was published beside what the run reached, on the images it was published for."""
    published, result = recipe.published, _result(run)
    on_test = published is None or published.measured_on == "test"
    validated = [row["val_accuracy"] for row in run.metrics().rows if "val_accuracy" in row]
    measured = result["test_accuracy"] if on_test else (validated or [None])[-1]
    holds = None
    if published is not None and published.accuracy is not None and measured is not None:
        holds = measured >= published.accuracy - published.tolerance
    return {
        "published": published.text if published else None,
        "measured_on": "test" if on_test else "validation",
        "measured": measured,
        "holds": holds,
        **result,
    }


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Rows as aligned text under a line of names."""
    cells = [[name for name in columns], *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    for line in cells:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, tuple):
        return " × ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main(prog_name="python -m mnist_core")
