"""Session state: every key that the pages use, and how a widget keeps its value when the visitor changes pages.

Streamlit forgets a widget's value as soon as a page without that widget runs. Keys declared with `_persistent` survive.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

_PERSISTENT: list[str] = []


def _persistent(key: str) -> str:
    """Declares a widget key whose value survives a change of page."""
    _PERSISTENT.append(key)
    return key


SAVED_VALUES = "saved_values"  # key -> value of the persistent widgets
PAGE = "page"  # URL path of the page shown
ARRIVAL = "arrival"  # (URL path, how many pages were opened), see navigation.start_at_top
METRICS = "metrics"  # (run id, Metrics read so far), so that only new lines are read
VISITOR = "visitor"  # (token, administrator proof), see visitor.py
COOKIES_SET = "cookies_set"  # names of the cookies set in this session
CONFIRMATIONS = "confirmations"  # (text, icon) of toasts that are due
BAR_MODEL = "bar_model"  # the current model as the bar shows it
FOLLOWED_RUN = "followed_run"  # id of the run whose progress the bar shows
TRAIN_HERE = "train_here"  # train on this machine although there is a cluster
EXPERT = _persistent("expert")  # show every setting and figure; else only the simple ones
TOUR_STEP = "tour"  # step of the guided tour, from 1; absent outside the tour
PRESENTING = "presenting"  # presenter mode is on
TOUR_PAUSED_AT = "tour_paused_at"  # step at which the visitor left the tour

# Canvases
CANVAS = "canvas"
NUMBER_CANVAS = "number_canvas"
COMPARISON_CANVAS = "comparison_canvas"
PROBE_CANVAS = "probe_canvas"
BRUSH = _persistent("brush")

# Draw
DRAW_KIND = _persistent("draw_kind")  # "digit" or "number"
PLAIN = _persistent("plain")
MODEL = _persistent("model")
SECOND_MODEL = _persistent("second_model")
DRAW_SOURCE = "draw_source"  # "canvas" or "upload": what was used last, and is read
CORRECT_LABEL = "correct_label"
CORRECTED_IMAGE = "corrected_image"  # bytes of the image that the label is chosen for
CONSENT = _persistent("consent")
LAST_CORRECTION = "last_correction"  # so that a second click saves nothing twice, and another label replaces it

# Train: the run that is shown. Keys of settings are the settings' own names
RUN = "run"  # run id
TEST_INDEX = _persistent("test_index")
PROBES = _persistent("probes")  # drawings that the next training watches
PROBE_PAD_OPEN = _persistent("probe_pad_open")
LIVE_SETTINGS_OPEN = _persistent("live_settings_open")
RECENT_RUNS_OPEN = _persistent("recent_runs_open")
RUN_SETTINGS_OPEN = _persistent("run_settings_open")
RECIPE = _persistent("recipe")
SEED = _persistent("seed")
DATA = _persistent("data")
EPOCHS = _persistent("epochs")
MAX_EPOCHS = "max_epochs"  # upper end of the slider
BATCH_SIZE = _persistent("batch_size")
LEARNING_RATE = _persistent("learning_rate")
OPTIMIZER = _persistent("optimizer")
DROPOUT = _persistent("dropout")
AUGMENTATION = _persistent("augmentation")
PATIENCE = _persistent("patience")
TIME_BUDGET = _persistent("time_budget")
TARGET_ACCURACY = _persistent("target_accuracy")
SCHEDULE = _persistent("schedule")
WARM_UP = _persistent("warm_up")
DECAY_FACTOR = _persistent("decay_factor")
DECAY_EPOCHS = _persistent("decay_epochs")
MOMENTUM = _persistent("momentum")
NESTEROV = _persistent("nesterov")
BETA_1 = _persistent("beta_1")
BETA_2 = _persistent("beta_2")
WEIGHT_DECAY = _persistent("weight_decay")
GRADIENT_CLIPPING = _persistent("gradient_clipping")
WEIGHT_AVERAGING = _persistent("weight_averaging")
LOSS = _persistent("loss")
LABEL_SMOOTHING = _persistent("label_smoothing")
KERNEL_INITIALIZER = _persistent("kernel_initializer")
NORMALIZATION_MOMENTUM = _persistent("batch_normalization_momentum")
CARRIED_SETTINGS = _persistent("carried_settings")  # settings of a run that the form has no widget for
DATA_REPLACED = "data_replaced"  # whether the data set stands for that of a run, which the form cannot open
ADVANCED_OPEN = _persistent("advanced_open")
EARLY_STOPPING_OPEN = _persistent("early_stopping_open")
RATE_FINDER_OPEN = _persistent("rate_finder_open")
RATE_FINDER_RUN = "rate_finder_run"  # id of this session's last range test

# Train: the network builder
CUSTOM_NETWORK = _persistent("custom_network")  # train the custom network instead of the recipe's
STAGE = _persistent("stage")  # "network" or "run": what the page shows while the custom network is on
CUSTOM_LAYERS = "custom_layers"  # tuple of layers
CUSTOM_UNDO = "custom_undo"  # earlier versions of CUSTOM_LAYERS, latest last
SELECTED_LAYER = _persistent("selected_layer")  # index
NEW_LAYER = "new_layer"  # name of the layer class to add
START_NETWORK = "start_network"
NETWORK_NAME = "network_name"
SAVED_NETWORK = "saved_network"  # id of the network selected in the library

# Runs
SEARCH = _persistent("search")
STATE_FILTER = _persistent("state_filter")
RECIPE_FILTER = _persistent("recipe_filter")
ONLY_MINE = _persistent("only_mine")
COMPARED = _persistent("compared")  # run ids
OPENED_SWEEPS = _persistent("opened_sweeps")  # ids of the sweeps whose runs are listed
LINKED_COMPARISON = "linked_comparison"  # last comparison in the address; another one means a link was followed
LAST_DELETED = "last_deleted"  # run ids
RESTORED = "restored"  # run ids selected in the trash
LEADERBOARD = "leaderboard"  # data set

# Sweep
SWEEP = "sweep"  # sweep id
SWEEP_KIND = _persistent("sweep_kind")  # name of a predefined sweep, or "own"
SWEEP_AS_TEXT = _persistent("sweep_as_text")  # ranges are typed instead of set with sliders
SWEEP_BASE = _persistent("sweep_base")
SWEEP_VARIED = _persistent("sweep_varied")  # names of the settings that vary
SWEEP_SAMPLER = _persistent("sweep_sampler")
SWEEP_TRIALS = _persistent("sweep_trials")
SWEEP_EPOCHS = _persistent("sweep_epochs")
SWEEP_DATA = _persistent("sweep_data")
SWEEP_MEASURE = _persistent("sweep_measure")
SWEEP_PRUNE = _persistent("sweep_prune")
SWEEP_SEED = _persistent("sweep_seed")
SWEEP_SLICE = _persistent("sweep_slice")
CONTOUR_X = _persistent("contour_x")
CONTOUR_Y = _persistent("contour_y")
SWEEP_BESIDE = _persistent("sweep_beside")

# Evaluate
EVALUATED_VIEW = _persistent("evaluated_view")
EVALUATED_ON = _persistent("evaluated_on")  # MNIST's test images, or pen digits in some condition
COMPARED_MODEL = _persistent("compared_model")
CONFUSION_CELL = "confusion_cell"  # (true digit, prediction)
CONFUSION_SHARES = _persistent("confusion_shares")
DISTORTION = _persistent("distortion")
ROBUSTNESS_MODELS = _persistent("robustness_models")
ROBUSTNESS_CURVES = "robustness_curves"  # as far as they were measured in this session
ROBUSTNESS_JOB = "robustness_job"  # what is being measured, and since when

# Explain
EXPLAIN_VIEW = _persistent("explain_view")
EXPLAIN_SOURCE = _persistent("explain_source")  # "draw" or "test"
EXPLAINED_INDEX = _persistent("explained_index")  # of the test image
EXPLAINED_LABEL = "explained_label"  # of the test image; clicked to move on to the next image of a digit
EXPLAINED_LAYER = _persistent("explained_layer")  # name of the layer; with channel and position, the enlarged unit
EXPLAINED_CHANNEL = _persistent("explained_channel")
EXPLAINED_ROW = _persistent("explained_row")
EXPLAINED_COLUMN = _persistent("explained_column")
ATTRIBUTION_METHOD = _persistent("attribution_method")
ATTRIBUTION_DIGIT = _persistent("attribution_digit")
ATTRIBUTION_ALL = _persistent("attribution_all")
ATTRIBUTION_LAYER = _persistent("attribution_layer")
GROWTH_LAYER = _persistent("growth_layer")
GROWTH_MOMENT = "growth_moment"  # name of the moment whose snapshot is shown

# Data
DATA_VIEW = _persistent("data_view")
BROWSED_PART = _persistent("browsed_part")  # training or test
BROWSED_LABEL = _persistent("browsed_label")
BROWSED_PREDICTION = _persistent("browsed_prediction")
BROWSED_WRONG = _persistent("browsed_wrong")
BROWSED_PAGE = _persistent("browsed_page")
BROWSED_INDEX = _persistent("browsed_index")  # of the enlarged digit
PREDICTIONS_REQUESTED = "predictions_requested"  # (model, part) that the visitor agreed to wait for
AUGMENTED_INDEX = _persistent("augmented_index")  # of the training digit that is augmented
MAP_FEATURES = _persistent("map_features")  # pixels, or a model's last hidden layer
FINE_TUNED_MODEL = _persistent("fine_tuned_model")
CORRECTIONS_PAGE = "corrections_page"

_SWEEP_VALUES, _AUGMENTATION = "sweep_values_", "augmentation_"


def restore_widgets(page: str) -> None:
    """Restores the widget values that Streamlit dropped with their page. Call it before the page runs.

    Args:
        page: URL path of the page.
    """
    for key, value in _save_widgets().items():
        st.session_state[key] = value  # also one that is there: it stays, although its widget is on another page
    if st.session_state.get(PAGE) != page:
        st.session_state[PAGE] = page
        restore_canvases()


def restore_hidden_widgets() -> None:
    """Restores the widget values that Streamlit dropped when a fragment hid them. Call it before a fragment reruns."""
    for key, value in _save_widgets().items():
        if key not in st.session_state:
            st.session_state[key] = value


def _save_widgets() -> dict[str, Any]:
    """Saves the persistent values that are there. Returns all that were saved so far, by key."""
    saved: dict[str, Any] = st.session_state.setdefault(SAVED_VALUES, {})
    named = {key for key in (*st.session_state, *saved) if str(key).startswith((_SWEEP_VALUES, _AUGMENTATION))}
    saved |= {key: st.session_state[key] for key in (*_PERSISTENT, *named) if key in st.session_state}
    return saved


def restore_canvases() -> None:
    """Lets each canvas start with its last drawing. Call it before a hidden canvas is shown again."""
    for canvas in (CANVAS, NUMBER_CANVAS, COMPARISON_CANVAS, PROBE_CANVAS):
        st.session_state[initial_drawing_key(canvas)] = st.session_state.get(drawing_key(canvas))


def drawing_key(canvas: str) -> str:
    """Key of the strokes on a canvas, kept while it is not shown."""
    return f"{canvas}_drawing"


def initial_drawing_key(canvas: str) -> str:
    """Key of the drawing that a canvas started with. It changes only when the canvas is shown again: feeding back every
    stroke would loop."""
    return f"{canvas}_initial_drawing"


def clear_count_key(canvas: str) -> str:
    """Key of the number of times a canvas was changed other than by a stroke."""
    return f"{canvas}_clear_count"


def seen_drawing_key(canvas: str) -> str:
    """Key of the strokes that the Draw page last read from a canvas, to notice another stroke."""
    return f"{canvas}_seen_drawing"


def cleared_drawing_key(canvas: str) -> str:
    """Key of the strokes that the last Clear removed, until another stroke is drawn or undone."""
    return f"{canvas}_cleared_drawing"


def linked_view_key(view_key: str) -> str:
    """Key of the view that the address last named, for a page that keeps its view at `view_key`."""
    return f"{view_key}_linked"


def all_views_key(view_key: str) -> str:
    """Key of whether the visitor wants all views of a page that keeps its view at `view_key`."""
    return f"{view_key}_all"


def chart_restarts_key(chart: str) -> str:
    """Key of the number of times a clickable chart started over. `chart`: key of its figure."""
    return f"{chart}_restarts"


def sweep_values_key(setting: str) -> str:
    """Key of the range or list of values of a setting that a sweep varies."""
    return f"{_SWEEP_VALUES}{setting}"


def sweep_range_key(setting: str) -> str:
    """Key of the slider that sets the same range."""
    return f"sweep_range_{setting}"


def augmentation_key(name: str) -> str:
    """Key of the slider of one augmentation."""
    return f"{_AUGMENTATION}{name}"


def layer_setting_key(layer: str, setting: str) -> str:
    """Key of a setting of the selected layer. `layer`: name of its class."""
    return f"layer_{layer}_{setting}"
