"""Everything that pages keep in the session, in one place: the keys, and what outlives a change of page."""

from __future__ import annotations

from typing import Any

import streamlit as st

VALUES = "values"  # of the widgets that outlive a change of page, by key
PAGE = "page"  # url path of the page shown
CANVAS = "canvas"
NUMBER_CANVAS = "number_canvas"
COMPARISON_CANVAS = "comparison_canvas"
PROBE_CANVAS = "probe_canvas"
PROBES = "probes"  # drawings that the next training is to be watched by
MODE = "mode"  # one digit, or a whole number
TRUTH = "truth"  # what a person says that the drawing is
CONSENT = "consent"  # to its being kept
KEPT_LAST = "kept_last"  # (image bytes, label) kept last: a second press of the button keeps nothing twice
TAUGHT_MODEL = "taught_model"
KEPT_PAGE = "kept_page"

BRUSH = "brush"
PLAIN = "plain"
MODEL = "model"
OTHER_MODEL = "other_model"

RUN = "run"  # id of the run that the Train page shows
RECIPE = "recipe"
EPOCHS = "epochs"
BATCH_SIZE = "batch_size"
LEARNING_RATE = "learning_rate"
OPTIMIZER = "optimizer"
DROPOUT = "dropout"
AUGMENTATION = "augmentation"
PATIENCE = "patience"
TIME_BUDGET = "time_budget"
TARGET_ACCURACY = "target_accuracy"
SCHEDULE = "schedule"
WARM_UP = "warm_up"
DECAY_FACTOR = "decay_factor"
DECAY_EPOCHS = "decay_epochs"
MOMENTUM = "momentum"
NESTEROV = "nesterov"
BETA_1 = "beta_1"
BETA_2 = "beta_2"
WEIGHT_DECAY = "weight_decay"
GRADIENT_CLIPPING = "gradient_clipping"
WEIGHT_AVERAGING = "weight_averaging"
LOSS = "loss"
LABEL_SMOOTHING = "label_smoothing"
KERNEL_INITIALIZER = "kernel_initializer"
NORMALIZATION_MOMENTUM = "batch_normalization_momentum"
MORE_SETTINGS = "more_settings"  # whether their fold is open
RATE_FINDER = "rate_finder"  # whether its fold is open
RATE_TEST = "rate_test"  # id of the test of learning rates that this session made last
SEED = "seed"
DATA = "data"
TEST_INDEX = "test_index"
MOST_EPOCHS = "most_epochs"  # end of the slider
CARRIED = "carried"  # settings of a run that is trained again, for which the page has no control
SEARCH = "search"
STATES = "states"  # of these, and of these recipes, and mine only: what the Runs page lists
RECIPES = "recipes"
MINE = "mine"
COMPARED = "compared"  # ids of the runs that the Runs page shows
LINKED = "linked"  # the comparison that the address names: another one is a link that was followed
LAST_DELETED = "last_deleted"  # ids, of one press of the button
HAD_BACK = "had_back"  # ids, chosen in the bin
LEADERBOARD = "leaderboard"  # data set
OWNER = "owner"  # (token, proof) of who is at the browser: see owner
COOKIES_SET = "cookies_set"  # names of those that the browser was given in this session
EXPLAINED = "explained"  # a drawing, or a test image
EXPLAINED_INDEX = "explained_index"
DATA_VIEW = "data_view"
BROWSED_PART = "browsed_part"  # training or test
BROWSED_LABEL = "browsed_label"
BROWSED_ANSWER = "browsed_answer"
BROWSED_WRONG = "browsed_wrong"
BROWSED_PAGE = "browsed_page"
BROWSED_INDEX = "browsed_index"  # number of the digit that is shown large
READ_THROUGH = "read_through"  # (model, part) that somebody has agreed to wait for
CHANGED_INDEX = "changed_index"  # number of the training digit that is augmented
MAP_OF = "map_of"  # pixels, or a model's last hidden layer
TOUR = "tour"  # step of the guided tour, from 1; absent where nobody takes it
TOUR_LEFT = "tour_left"  # step at which it was left
EXPLAIN_VIEW = "explain_view"
EXPLAINED_LAYER = "explained_layer"  # its name in the model, the channel and the place that are shown large
EXPLAINED_CHANNEL = "explained_channel"
EXPLAINED_ROW = "explained_row"
EXPLAINED_COLUMN = "explained_column"
BESIDE_MODEL = "beside_model"
EVALUATED_ON = "evaluated_on"  # MNIST's test images, or pen digits drawn in some condition
EVALUATED_VIEW = "evaluated_view"
CELL = "cell"  # (true digit, answer) whose digits the confusion matrix shows
SHARES = "shares"
DISTORTION = "distortion"
SPOILT_MODELS = "spoilt_models"
CURVES = "curves"  # of robustness, as far as they were measured in this session
MEASURING = "measuring"  # what of it is being measured, since when
REASONS_METHOD = "reasons_method"
REASONS_DIGIT = "reasons_digit"
REASONS_TEN = "reasons_ten"
REASONS_LAYER = "reasons_layer"
GROWTH_LAYER = "growth_layer"
GROWTH_EPOCH = "growth_epoch"
OWN = "own"  # whether one's own network is trained, and not the recipe's
OWN_LAYERS = "own_layers"  # tuple of them
OWN_PAST = "own_past"  # the networks before, the last one at the end
OWN_PLACE = "own_place"  # index of the layer that is being changed
OWN_KIND = "own_kind"  # of the layer to add
OWN_START = "own_start"  # what to start from
OWN_NAME = "own_name"
OWN_KEPT = "own_kept"  # id of the network chosen in the library
METRICS = "metrics"  # (run id, reports read so far): only new ones are read
TRAIN_HERE = "train_here"  # what is started is trained on this machine, although there is a cluster
SWEEP = "sweep"  # id of the sweep that is shown
SWEEP_BASE = "sweep_base"
SWEEP_VARIED = "sweep_varied"  # names of the settings that vary
SWEEP_HOW = "sweep_how"
SWEEP_TRIALS = "sweep_trials"
SWEEP_EPOCHS = "sweep_epochs"
SWEEP_DATA = "sweep_data"
SWEEP_MEASURE = "sweep_measure"
SWEEP_PRUNE = "sweep_prune"
SWEEP_SEED = "sweep_seed"
SWEEP_SLICE = "sweep_slice"
SWEEP_ACROSS = "sweep_across"
SWEEP_UP = "sweep_up"
SWEEP_BESIDE = "sweep_beside"

_KEPT = (
    BRUSH,
    PLAIN,
    MODE,
    MODEL,
    OTHER_MODEL,
    CONSENT,
    TAUGHT_MODEL,
    RECIPE,
    EPOCHS,
    BATCH_SIZE,
    LEARNING_RATE,
    OPTIMIZER,
    DROPOUT,
    AUGMENTATION,
    PATIENCE,
    TIME_BUDGET,
    TARGET_ACCURACY,
    SEED,
    DATA,
    TEST_INDEX,
    CARRIED,
    PROBES,
    SCHEDULE,
    WARM_UP,
    DECAY_FACTOR,
    DECAY_EPOCHS,
    MOMENTUM,
    NESTEROV,
    BETA_1,
    BETA_2,
    WEIGHT_DECAY,
    GRADIENT_CLIPPING,
    WEIGHT_AVERAGING,
    LOSS,
    LABEL_SMOOTHING,
    KERNEL_INITIALIZER,
    NORMALIZATION_MOMENTUM,
    MORE_SETTINGS,
    RATE_FINDER,
    SEARCH,
    STATES,
    RECIPES,
    MINE,
    COMPARED,
    EXPLAINED,
    EXPLAINED_INDEX,
    DATA_VIEW,
    BROWSED_PART,
    BROWSED_LABEL,
    BROWSED_ANSWER,
    BROWSED_WRONG,
    BROWSED_PAGE,
    BROWSED_INDEX,
    CHANGED_INDEX,
    MAP_OF,
    EXPLAIN_VIEW,
    EXPLAINED_LAYER,
    EXPLAINED_CHANNEL,
    EXPLAINED_ROW,
    EXPLAINED_COLUMN,
    BESIDE_MODEL,
    EVALUATED_ON,
    EVALUATED_VIEW,
    SHARES,
    DISTORTION,
    SPOILT_MODELS,
    REASONS_METHOD,
    REASONS_DIGIT,
    REASONS_TEN,
    REASONS_LAYER,
    GROWTH_LAYER,
    OWN,
    OWN_PLACE,
    SWEEP_BASE,
    SWEEP_VARIED,
    SWEEP_HOW,
    SWEEP_TRIALS,
    SWEEP_EPOCHS,
    SWEEP_DATA,
    SWEEP_MEASURE,
    SWEEP_PRUNE,
    SWEEP_SEED,
    SWEEP_SLICE,
    SWEEP_ACROSS,
    SWEEP_UP,
    SWEEP_BESIDE,
)


_VARIED = "sweep_values_"


def begin(page: str) -> None:
    """To be called before a page runs: brings back the widgets' values that Streamlit dropped with their page."""
    values = st.session_state.setdefault(VALUES, {})
    typed = {key for key in (*st.session_state, *values) if str(key).startswith(_VARIED)}
    for key in (*_KEPT, *typed):
        if key in st.session_state:
            values[key] = st.session_state[key]
        if key in values:
            st.session_state[key] = values[key]
    if st.session_state.get(PAGE) != page:
        st.session_state[PAGE] = page
        enter_canvases()


def drawing(canvas: str) -> str:
    """The key of a canvas's paths, kept while it is not shown."""
    return f"{canvas}_drawing"


def at_entry(canvas: str) -> str:
    """The key of what a canvas began with when it was last brought up: feeding back every stroke would loop."""
    return f"{canvas}_at_entry"


def cleared(canvas: str) -> str:
    """The key of how often a canvas was wiped."""
    return f"{canvas}_cleared"


def enter_canvases() -> None:
    """To be called when a canvas is about to be shown that was not: it begins with what was drawn on it before."""
    for canvas in (CANVAS, NUMBER_CANVAS, COMPARISON_CANVAS, PROBE_CANVAS):
        st.session_state[at_entry(canvas)] = st.session_state.get(drawing(canvas))


def linked(key: str) -> str:
    """The key of the view that the address told last of a page whose view is at `key`."""
    return f"{key}_linked"


def varied(name: str) -> str:
    """The key of the range or list of a setting that a sweep varies."""
    return f"{_VARIED}{name}"


def change(name: str) -> str:
    """The key of the slider of an augmentation."""
    return f"change_{name}"


def own_field(kind: str, name: str) -> str:
    """The key of a setting of the layer that is being changed."""
    return f"own_{kind}_{name}"


def default(key: str, value: Any) -> None:
    """Gives a key its first value."""
    st.session_state.setdefault(key, value)
