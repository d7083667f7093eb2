"""The network builder, through AppTest: edited, fixed, undone, saved, shared, imported, and trained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.errors import RunError
from mnist_core.export import keras_script, validate
from mnist_core.networks import edit, share_link
from mnist_core.networks.architecture import layers_to_json
from mnist_core.networks.layers import LAYERS, BatchNormalization, Dense, Dropout, Flatten, Rescaling
from mnist_core.networks.library import list_networks, save_network
from mnist_core.recipes.overrides import apply_overrides
from mnist_core.recipes.recipes import DEFAULT_RECIPE, RECIPES
from mnist_core.runs import history
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from pages.ui.shared import caches, state
from tests.pages.support import button, error_text, open_page, page_text, toasts

SMALL = (Rescaling(1 / 255), Flatten(), Dense(16, "relu"), Dense(10, "softmax"))


@pytest.fixture
def built(app: AppTest) -> AppTest:
    """The Train page with a small network in the builder."""
    open_page(app, "pages/train.py")
    app.toggle(key=state.CUSTOM_NETWORK).set_value(True).run()
    app.session_state[state.CUSTOM_LAYERS] = SMALL
    app.session_state[state.SELECTED_LAYER] = 2
    return app.run()


def layers(app: AppTest) -> tuple[Any, ...]:
    assert not app.exception
    return tuple(app.session_state[state.CUSTOM_LAYERS])


def press(app: AppTest, key: str) -> AppTest:
    return app.button(key=key).click().run()


def test_it_starts_with_the_network_of_the_selected_recipe(app: AppTest) -> None:
    open_page(app, "pages/train.py")
    app.selectbox(key=state.RECIPE).select("fleming-cnn").run()
    app.toggle(key=state.CUSTOM_NETWORK).set_value(True).run()
    assert not app.exception and not app.error
    assert layers(app) == RECIPES["fleming-cnn"].settings.layers
    assert "93,322 parameters" in page_text(app) and "2.8 million multiply-adds" in page_text(app)
    (table,) = [each.value for each in app.dataframe if "receptive field" in each.value.columns]
    assert table["parameters"].tolist()[-1] == 93_322
    assert "model = keras.Sequential" in "".join(block.value for block in app.code)


def test_layers_are_moved_duplicated_added_and_removed(built: AppTest) -> None:
    rescaling, flatten, hidden, end = SMALL
    press(built, "layer_up")
    assert layers(built) == (rescaling, hidden, flatten, end)
    press(built, "layer_down")
    assert layers(built) == SMALL and built.session_state[state.SELECTED_LAYER] == 2
    press(built, "layer_duplicate")
    assert layers(built) == (rescaling, flatten, hidden, hidden, end)
    press(built, "layer_remove")
    assert layers(built) == SMALL
    built.selectbox(key=state.NEW_LAYER).select("Dropout").run()
    built.radio(key=state.SELECTED_LAYER).set_value(2).run()
    press(built, "layer_add")
    assert layers(built) == (rescaling, flatten, hidden, Dropout(0.25), end)
    assert built.session_state[state.SELECTED_LAYER] == 3, "the new one is the one to set"


def test_settings_of_a_layer_are_changed_and_undone(built: AppTest) -> None:
    built.number_input(key=state.layer_setting_key("Dense", "units")).set_value(99).run()
    built.selectbox(key=state.layer_setting_key("Dense", "activation")).select("tanh").run()
    built.toggle(key=state.layer_setting_key("Dense", "use_bias")).set_value(False).run()
    assert layers(built)[2] == Dense(99, "tanh", False)
    assert f"{784 * 99 + 99 * 10 + 10:,} parameters" in page_text(built)
    for expected in (Dense(99, "tanh"), Dense(99, "relu"), Dense(16, "relu")):
        press(built, "network_undo")
        assert layers(built)[2] == expected
    assert built.button(key="network_undo").disabled
    assert built.number_input(key=state.layer_setting_key("Dense", "units")).value == 16, "the form goes back too"


def test_emptied_field_of_a_layer_keeps_its_value(built: AppTest) -> None:
    built.number_input(key=state.layer_setting_key("Dense", "units")).set_value(None).run()
    assert layers(built) == SMALL
    built.radio(key=state.SELECTED_LAYER).set_value(0).run()
    built.number_input(key=state.layer_setting_key("Rescaling", "scale")).set_value(None).run()
    assert layers(built) == SMALL


@pytest.mark.slow
def test_every_type_of_layer_can_be_added_and_has_its_settings(built: AppTest) -> None:
    for kind in LAYERS:
        built.session_state[state.CUSTOM_LAYERS] = SMALL
        built.session_state[state.NEW_LAYER] = kind
        built.session_state[state.SELECTED_LAYER] = 0
        press(built.run(), "layer_add")
        assert type(layers(built)[1]).__name__ == kind
        assert not built.error or "Layer" in error_text(built), kind
        for name in edit.layer_settings(layers(built)[1]):
            assert state.layer_setting_key(kind, name) in built.session_state, (kind, name)


def test_error_is_marked_and_fixed_by_its_button(built: AppTest) -> None:
    built.radio(key=state.SELECTED_LAYER).set_value(1).run()
    press(built, "layer_remove")
    assert layers(built) == (SMALL[0], *SMALL[2:])
    assert "needs a flat list" in error_text(built)
    assert any("red" in option for option in built.radio(key=state.SELECTED_LAYER).options)
    (fix,) = [each for each in built.button if each.label == "Insert Flatten before it"]
    fix.click().run()
    assert layers(built) == SMALL and not built.error


def test_empty_network_can_get_a_layer(built: AppTest) -> None:
    for _ in SMALL:
        press(built, "layer_remove")
    assert layers(built) == ()
    assert "no layers yet" in error_text(built)
    press(built, "layer_add")
    assert len(layers(built)) == 1
    press(built, "network_undo")
    assert layers(built) == ()
    press(built, "network_undo")
    assert layers(built) == SMALL[:1]


def test_momentum_close_to_one_is_not_shown_as_one(built: AppTest) -> None:
    built.session_state[state.CUSTOM_LAYERS] = (*SMALL[:2], BatchNormalization(0.99999), SMALL[3])
    built.run()
    momentum = built.number_input(key=state.layer_setting_key("BatchNormalization", "momentum"))
    assert momentum.proto.format % momentum.value == "0.99999"


def test_network_with_an_error_cannot_be_trained(built: AppTest) -> None:
    assert not button(built, "Train").disabled
    built.session_state[state.CUSTOM_LAYERS] = SMALL[2:]
    built.run()
    assert button(built, "Train").disabled
    assert "needs a flat list" in page_text(built), "the reason is next to the button"
    next(each for each in built.button if each.label.startswith("Insert Flatten")).click().run()
    assert not button(built, "Train").disabled


def test_run_trains_the_custom_network(built: AppTest, started: list[Run]) -> None:
    built.slider(key=state.EPOCHS).set_value(2).run()
    button(built, "Train").click().run()
    (run,) = started
    spec = run.spec()
    assert spec.settings.layers == SMALL and spec.kind == "own" and "-own-" in run.id
    assert dict(spec.overrides) == {"layers": layers_to_json(SMALL), "epochs": 2}
    assert spec.settings == apply_overrides(RECIPES[DEFAULT_RECIPE].settings, spec.overrides)
    assert history.history_row(run)["recipe"] == "own"
    changed = history.history_row(run)["changed"]
    assert "4 layers" in changed and DEFAULT_RECIPE in changed and "epochs 2" in changed
    assert re.search(r"Dense\((units=)?16\b", keras_script.script_source(run))
    validate.validate_run(run)


def test_train_again_opens_the_network_of_the_run(built: AppTest, started: list[Run]) -> None:
    button(built, "Train").click().run()
    built.session_state[state.CUSTOM_LAYERS] = (Flatten(), Dense(10, "softmax"))
    built.toggle(key=state.CUSTOM_NETWORK).set_value(False).run()
    open_page(built, "pages/train.py", like=started[0].id)
    assert built.toggle(key=state.CUSTOM_NETWORK).value
    assert layers(built) == SMALL


def test_train_again_of_a_recipe_disables_the_custom_network(built: AppTest) -> None:
    run = create_run(make_spec("fast", {"dropout": 0.3}))
    open_page(built, "pages/train.py", like=run.id)
    assert not built.toggle(key=state.CUSTOM_NETWORK).value
    assert layers(built) == SMALL, "it is still there"


def test_link_opens_the_network_with_its_settings(built: AppTest, started: list[Run]) -> None:
    built.slider(key=state.EPOCHS).set_value(3).run()
    (link,) = [block.value for block in built.code if "net=" in block.value]
    given = {name: value[0] for name, value in parse_qs(urlparse(link).query).items()}
    assert share_link.decode(given["net"]) == SMALL
    built.session_state[state.CUSTOM_LAYERS] = (Flatten(), Dense(10, "softmax"))
    built.toggle(key=state.CUSTOM_NETWORK).set_value(False).run()
    open_page(built, "pages/train.py", **given)
    assert not built.error and layers(built) == SMALL
    button(built, "Train").click().run()
    assert started[0].spec().settings.layers == SMALL and started[0].spec().settings.epochs == 3


def test_broken_link_to_a_network_shows_an_error(app: AppTest) -> None:
    for net, words in (("A" * 20_000, "20,000 characters"), ("%%", "damaged")):
        open_page(app, "pages/train.py", net=net)
        assert not app.exception and words in error_text(app)
        assert not app.toggle(key=state.CUSTOM_NETWORK).value


def test_network_is_saved_opened_renamed_overwritten_and_deleted(built: AppTest) -> None:
    built.text_input(key=state.NETWORK_NAME).set_value("two layers").run()
    press(built, "network_save")
    (saved,) = list_networks()
    assert saved.name == "two layers" and saved.layers == SMALL and saved.owner
    press(built, "layer_remove")
    press(built, "network_open")
    assert layers(built) == SMALL
    built.text_input(key=state.NETWORK_NAME).set_value("another name").run()
    press(built, "network_rename")
    assert list_networks()[0].name == "another name"
    assert toasts(built) == "two layers renamed to another name."
    built.radio(key=state.SELECTED_LAYER).set_value(2).run()
    press(built, "layer_remove")
    press(built, "network_overwrite")
    assert list_networks()[0].layers == (*SMALL[:2], SMALL[3])
    press(built, "network_delete")
    assert list_networks() == [] and toasts(built) == "another name deleted."


def test_saving_without_a_name_shows_an_error(built: AppTest) -> None:
    press(built, "network_save")
    assert "expected 1 to 60" in error_text(built)


def test_network_of_someone_else_can_be_opened_but_not_changed(built: AppTest) -> None:
    save_network("theirs", (Flatten(), Dense(10, "softmax")), owner="ab" * 32)
    built.run()
    assert all(built.button(key=f"network_{name}").disabled for name in ("overwrite", "rename", "delete"))
    press(built, "network_open")
    assert layers(built) == (Flatten(), Dense(10, "softmax"))


def test_it_starts_from_a_recipe_a_run_or_a_saved_network(built: AppTest) -> None:
    expected = RECIPES["fast"].settings.layers
    run, saved = create_run(make_spec("fast")), save_network("as fast", expected)
    caches.clear_run_caches()
    built.run()
    for source in ("recipe fast", f"run {run.id}", f"saved {saved.id}"):
        built.selectbox(key=state.START_NETWORK).set_value(source).run()
        press(built, "network_start")
        assert layers(built) == expected, source
        press(built, "network_undo")
        assert layers(built) == SMALL, source


def test_it_survives_a_change_of_page(built: AppTest) -> None:
    built.switch_page("pages/runs.py").run()
    built.switch_page("pages/train.py").run()
    assert built.toggle(key=state.CUSTOM_NETWORK).value and layers(built) == SMALL


def test_measuring_the_machine_is_offered(built: AppTest) -> None:
    assert "measure this machine" in page_text(built)
    assert built.button(key="measure_machine")


def test_an_imported_run_of_ones_own_must_have_real_layers(runs_root: Path) -> None:
    run = create_run(make_spec("fast", {"layers": layers_to_json(SMALL)}))
    validate.validate_run(run)
    path = run.path / "spec.json"
    value = json.loads(path.read_text())
    value["overrides"]["layers"] = [7]
    path.write_text(json.dumps(value))
    with pytest.raises(RunError, match="sets 'layers'"):
        validate.validate_run(run)
