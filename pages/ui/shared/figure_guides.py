"""How to read each figure: a few words for people, the term of art, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guide:
    """The fold under a figure.

    Attributes:
        text: at most 80 words, Markdown.
        term: what the field calls it.
        link: the paper, or the page of Keras or scikit-learn, that it comes from.
    """

    text: str
    term: str
    link: str


GUIDES = {
    # Draw
    "answer": Guide(
        "Ten bars, one for each digit: how the network shares out its belief. They sum to 1, and the longest is its "
        "answer. A long bar is no proof: it is sure of what resembles what it has seen. The shipped model has an "
        "eleventh output, for what is no digit at all.",
        "softmax, class probabilities",
        "https://keras.io/api/layers/activation_layers/softmax/",
    ),
    "stages": Guide(
        "Left to right: from your drawing to the 28×28 pixels that the network gets, made as MNIST's makers made "
        "theirs: cropped to the ink, shrunk to 20×20, placed by its centre of mass. Switch to *plain resize* and see "
        "how the answer suffers when this is left out.",
        "preprocessing, normalisation by size and centre of mass",
        "https://doi.org/10.1109/5.726791",
    ),
    # Train and Runs
    "learning curves": Guide(
        "Left to right the training goes on. The **training** line tells how the network does on images it learns "
        "from, the **validation** dots how it does on images it never learns from. Where the first still rises and "
        "the second falls, it has begun to learn by heart. A dashed line marks where somebody changed a setting.",
        "learning curve, overfitting",
        "https://keras.io/api/models/model_training_apis/",
    ),
    "wall": Guide(
        "Sixty test digits, six of each. A teal frame: the network reads it right. Orange: wrong, with what it takes "
        "it for. Early in a training most are orange; the last ones to turn teal are the hard ones.",
        "test set, generalisation",
        "https://keras.io/examples/vision/mnist_convnet/",
    ),
    "watched drawings": Guide(
        "Each strip is one drawing of yours: a row for each digit, time to the right. The brighter, the surer the "
        "network was then. See the moment at which it made up its mind, and whether it changed it.",
        "class probabilities over the training",
        "https://keras.io/guides/writing_your_own_callbacks/",
    ),
    # Train: more settings, and finding a learning rate
    "schedule": Guide(
        "How large the steps will be, from the first epoch to the last: this is a plan, the training has not begun. "
        "Large steps early find the valley, small ones late go down to its ground. A rise at the beginning (warm-up) "
        "spares the fresh weights. Change the schedule above, and see the curve change.",
        "learning-rate schedule",
        "https://keras.io/api/optimizers/learning_rate_schedules/",
    ),
    "range test": Guide(
        "A new network, trained with a learning rate that rises with every batch: each dot is one batch, the line "
        "their moving average. On the left the steps are too small to learn anything; then the loss falls; then the "
        "steps overshoot, and it explodes. Use a rate well before that: the dashed line marks a tenth of the rate "
        "where the loss was lowest.",
        "learning-rate range test (Smith, 2017)",
        "https://arxiv.org/abs/1506.01186",
    ),
    "accuracy against cost": Guide(
        "Each dot is a run: to the right it cost more, upwards it reads more of the test digits right. The best ones "
        "lie along the upper left edge; the scale to the right is logarithmic, so that each step is ten times more.",
        "accuracy–efficiency trade-off, Pareto front",
        "https://arxiv.org/abs/1905.11946",
    ),
    "confusion matrix": Guide(
        "A row for each true digit, a column for each answer. The diagonal is what was read right. The darker a cell "
        "beside it, the more often that digit is taken for that other one: 4 and 9, 3 and 5 are the usual ones.",
        "confusion matrix",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.confusion_matrix.html",
    ),
    # Train: one's own network
    "network diagram": Guide(
        "Left to right, line by line: the image, then what each layer makes of it. A box is as tall as its image has "
        "rows, and as wide as it has channels, on a logarithmic scale; a thin bar is a list of numbers. Under it stand "
        "the layer's settings, the shape it makes and the weights it learns. A dashed box cannot work where it stands.",
        "architecture diagram, tensor shapes",
        "https://keras.io/api/utils/model_plotting_utils/",
    ),
    "network cost": Guide(
        "A row for each layer. **Parameters** are the numbers it learns, **multiply-adds** the work for one image, "
        "forward. **Sees pixels**: how much of the image can change one of its numbers; the deeper, the more. "
        "**Step**: how many pixels lie between what two neighbours look at. The last row adds it all up.",
        "receptive field, multiply–accumulate operations",
        "https://distill.pub/2019/computing-receptive-fields/",
    ),
    # Data
    "wall of digits": Guide(
        "A hundred digits at a time, with the label that MNIST gives each under it. Where a model was asked and reads "
        "another digit, the caption is orange: label, arrow, answer. Click a digit to see it large. Numbers count from "
        "0 in the order of the files, so digit 999 is the same one everywhere.",
        "MNIST, labelled examples",
        "https://keras.io/api/datasets/mnist/",
    ),
    "pixels of a digit": Guide(
        "This is all that a network gets: 28 rows of 28 numbers, 0 for paper to 255 for ink. Hover to read them. "
        "MNIST's makers shrank each digit to 20×20, which made the grey edges, and put its centre of mass in the "
        "middle.",
        "grey-scale image, anti-aliasing",
        "https://keras.io/api/datasets/mnist/",
    ),
    "class balance": Guide(
        "Two bars for each digit: how many training and how many test images show it. They are nearly even, so that a "
        "network which always answers 1 is right in only one of nine. Where one class is far ahead, accuracy flatters.",
        "class balance",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.balanced_accuracy_score.html",
    ),
    "mean digits": Guide(
        "Every pixel is the mean of that pixel over all training images of a digit. Where hands agree it is bright, "
        "where they differ it is blurred: a 1 leans to many sides. To answer with the nearest of these ten is the "
        "simplest classifier there is; it gets about four in five right.",
        "class mean, nearest centroid",
        "https://scikit-learn.org/stable/modules/generated/sklearn.neighbors.NearestCentroid.html",
    ),
    "pixel intensities": Guide(
        "How many pixels of all training images have which value. The scale is logarithmic: each line up is ten times "
        "as many. Most are paper, many are full ink, few lie between. Networks train better on such values divided by "
        "255.",
        "histogram, rescaling",
        "https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/",
    ),
    "as tutorials print them": Guide(
        "The first training digits as tutorials print them: ten in a row, or four as a plate. If yours show 5 0 4 1 9 "
        "2 1 3 1 4, you have the same file in the same order.",
        "MNIST",
        "https://keras.io/api/datasets/mnist/",
    ),
    "uncentered": Guide(
        "Above, each digit in the middle of a field of 56×56; below, the same digits at random places of it, as the "
        "uncentered recipes train on them. A dense network must learn each place anew; a convolution carries what it "
        "has learned along.",
        "translation invariance",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "augmentation": Guide(
        "A row for each change by itself: in the middle the digit as it is, to either side as far as the slider lets "
        "it go. A training draws a random place in all these ranges for every image anew, so that the network never "
        "sees quite the same digit twice. Too far, and a 6 becomes a 9.",
        "data augmentation, elastic distortion (Simard et al. 2003)",
        "https://keras.io/api/layers/preprocessing_layers/image_augmentation/",
    ),
    "map of digits": Guide(
        "Each figure is one digit, and alike ones lie close. The two axes are those along which the values differ "
        "most. On pixels the digits overlap: two numbers cannot hold a picture. By a trained network's last hidden "
        "layer they fall apart into groups: that is what it has learned. Wheel zooms, hover shows, a click on the "
        "legend picks.",
        "principal component analysis",
        "https://scikit-learn.org/stable/modules/generated/sklearn.decomposition.PCA.html",
    ),
    "hashes": Guide(
        "A hash is a fingerprint of the bytes: two people with the same SHA-256 have the very same pixels and labels "
        "in the same order, and their results can be compared. x are the images, y the labels. Each hash is of the "
        "array's bytes as they lie in memory, row after row.",
        "SHA-256, provenance",
        "https://keras.io/api/datasets/mnist/",
    ),
    # Explain
    "layer wall": Guide(
        "From the image to the answer, layer by layer. Each small picture is one **channel**: what one filter found, "
        "and where. Teal is above zero, orange below, black is zero; the brightest colour is the largest number of "
        "that layer. Early layers still look like the digit, later ones are small and stand for whole parts of it. A "
        "layer that gives a list of numbers is shown as rows of squares.",
        "activations, feature maps",
        "https://arxiv.org/abs/1311.2901",
    ),
    "channels": Guide(
        "All channels of the chosen layer, on one scale. Click one to see it large. Channels that stay black found "
        "nothing of what they look for in this digit.",
        "feature map",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "channel": Guide(
        "Each square is one **unit**. Click one, and below stands how its number comes about: which part of the layer "
        "before it sees, and what it reckons with that.",
        "unit, receptive field",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "units": Guide(
        "A bar for each number that the layer gives. Click one, and below stands how it comes about.",
        "dense layer",
        "https://keras.io/api/layers/core_layers/dense/",
    ),
    "patch and filter": Guide(
        "Left what the unit sees, in the middle its **filter**, the weights it has learned, right both multiplied, "
        "pixel by pixel. All pixels of the right picture added up, over all channels, make the sum. Teal is above "
        "zero, orange below; each picture has its own scale.",
        "convolution",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "contributions": Guide(
        "The inputs that move this unit most: each number that comes in, times the weight that the unit gives it. "
        "Above zero it speaks for the unit, below zero against it. All of them and the bias make the sum.",
        "weighted sum",
        "https://keras.io/api/layers/core_layers/dense/",
    ),
    "arithmetic": Guide(
        "Read from top to bottom: each line is reckoned from those above it, and the last is the number that the layer "
        "hands on.",
        "forward pass",
        "https://keras.io/api/layers/activations/",
    ),
    "first filters": Guide(
        "What the first layer looks for: weights above zero (teal) want ink there, those below (orange) want none. "
        "Edges and strokes in several directions are usual; noise means that a filter has learned little.",
        "filters, kernels",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "weight histograms": Guide(
        "How the weights of each layer are spread, biases left out. Wide means strong weights, a sharp peak at zero "
        "means that most of them do little. A layer whose weights run far from zero may have been trained at too large "
        "a learning rate.",
        "weight distribution, initialisation",
        "https://keras.io/api/layers/initializers/",
    ),
    "change of mind": Guide(
        "Left your digit, right the nearest found that the model reads otherwise; in the middle, in orange, what was "
        "rubbed out or, in teal, drawn. Step by step the 2×2 patch is taken that brings another answer nearest, so the "
        "change is small, and perhaps not the smallest. A change that no person would mind is a weakness.",
        "counterfactual explanation",
        "https://arxiv.org/abs/1711.00399",
    ),
    "neighbours": Guide(
        "The training digits that look most alike **to the model**: its last layer but one describes them by nearly "
        "the same numbers. Framed in teal where their label is the answer, in orange where it is not. Similarity is "
        "the cosine of the angle between both descriptions: 1 is the same direction.",
        "nearest neighbours, cosine similarity",
        "https://scikit-learn.org/stable/modules/metrics.html#cosine-similarity",
    ),
    # Evaluate
    "headline figures": Guide(
        "**Accuracy** is the share read right. On other images of this kind it would lie in the **interval** 95 times "
        "in 100: two models whose intervals overlap widely may be equally good. **Loss** also punishes being sure and "
        "wrong. **Top-2**: the truth is among the two likeliest answers. **Calibration error**: how far the confidence "
        "is from the share that is right.",
        "Wilson score interval",
        "https://doi.org/10.1080/01621459.1927.10502953",
    ),
    "class figures": Guide(
        "**Precision**: of the images read as this digit, how many are it. **Recall**: of the images of this digit, "
        "how many are read as it. **F1** is high only where both are. **Support**: how many images of it there are.",
        "precision, recall, F1, support",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.precision_recall_fscore_support.html",
    ),
    "confusion cells": Guide(
        "A row for each true digit, a column for each answer. The faint teal diagonal is what was read right. The "
        "stronger the orange of a cell beside it, the more often that digit is taken for that other one. Click a cell, "
        "or choose it in the menu, and its digits are shown.",
        "confusion matrix",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.confusion_matrix.html",
    ),
    "worst mistakes": Guide(
        "The digits read wrong, the surest mistake first. Would you have read them right? Some are smudged, and some "
        "bear a label that people dispute: no model reaches 100 %, and one that does has learned the test.",
        "label errors in test sets (Northcutt, Athalye and Mueller, 2021)",
        "https://arxiv.org/abs/2103.14749",
    ),
    "reliability diagram": Guide(
        "Each bar stands for the images of which the model was so sure, to the right the surer. Its height: how many "
        "of them it read right. Orange: how sure it was. A bar below the orange line means too sure of itself, one "
        "above it too modest. Bars of few images mean little.",
        "reliability diagram, expected calibration error (Guo et al., 2017)",
        "https://arxiv.org/abs/1706.04599",
    ),
    "accuracy by threshold": Guide(
        "To the right the model may answer only where it is surer; the rest is left to a person. **Answered**: how "
        "many images are left to the model. **Right**: how many of these it reads right. A good model gives up few "
        "answers for the last mistakes.",
        "selective classification, risk and coverage (Geifman and El-Yaniv, 2017)",
        "https://arxiv.org/abs/1705.08500",
    ),
    "mcnemar": Guide(
        "Two models read the same images. Where both are right, or both wrong, nothing is learned; what counts is how "
        "often just one of them is right. Were they equally good, each would be that one about equally often. **p** "
        "tells how often chance alone makes such a difference: below 0.05 it is called real.",
        "McNemar's test (Dietterich, 1998)",
        "https://doi.org/10.1162/089976698300017197",
    ),
    "robustness": Guide(
        "To the right the digits are spoilt more; the dashed rule is where nothing is changed. A curve that stays high "
        "belongs to a model that has seen such digits, or is built so that they do not matter. Augmentation shows in "
        "training what the test would otherwise bring as a surprise.",
        "robustness to corruptions (Mu and Gilmer, MNIST-C, 2019)",
        "https://arxiv.org/abs/1906.02337",
    ),
    "placed anywhere": Guide(
        "A dense network has learned each digit at one place, and fails where it lies elsewhere. Convolutions find it "
        "in more places. Cropping and centring the digit first, as the Draw page does, saves also those that were "
        "never made for it.",
        "translation invariance",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    # Explain: why this answer
    "occlusion": Guide(
        "A patch of 4×4 pixels is rubbed out at 169 places in turn, and the model reads the rest. Teal: without these "
        "pixels the digit's probability falls, the answer rests on them. Orange: without them it rises, they stood in "
        "the way. What no single patch can change, two together may.",
        "occlusion sensitivity (Zeiler and Fergus, 2014)",
        "https://arxiv.org/abs/1311.2901",
    ),
    "integrated gradients": Guide(
        "The image is faded in from black, and each pixel is credited with what it adds on the way to the digit's "
        "**logit**, the score before the softmax. Teal adds, orange takes away. The credits sum to the logit's whole "
        "rise: that is the completeness printed below. Pixels that are black get none, although empty places can "
        "speak for a digit, too.",
        "integrated gradients (Sundararajan et al., 2017)",
        "https://arxiv.org/abs/1703.01365",
    ),
    "completeness": Guide(
        "For each digit: what the attributions of all pixels sum to, and what they should, the logit of this image "
        "less that of a black one. The gap between them is an error of the sum over steps. At most 1 % is asked for; "
        "where the logit hardly differs, no number of steps reaches that.",
        "completeness axiom",
        "https://arxiv.org/abs/1703.01365",
    ),
    "smoothgrad": Guide(
        "The slope of the digit's logit, averaged over 50 copies of the image with noise. Teal: more ink here would "
        "speak for the digit; orange: against it. It tells what a **change** would do, also on empty paper, not what "
        "the ink that is there has done. Averaging removes the grain that the plain gradient has.",
        "SmoothGrad (Smilkov et al., 2017)",
        "https://arxiv.org/abs/1706.03825",
    ),
    "saliency": Guide(
        "The slope of the digit's logit at this very image. Teal: a little more ink here would speak for the digit; "
        "orange: against it. It is grainy, because the slope of such networks jumps from pixel to pixel; SmoothGrad "
        "shows the same with less grain.",
        "saliency map (Simonyan et al., 2013)",
        "https://arxiv.org/abs/1312.6034",
    ),
    "grad-cam": Guide(
        "Where a convolution found what speaks for the digit. Each of its channels is weighted by how much the digit's "
        "logit rises with it; what is left above zero is shown. The map is as coarse as the layer, 4×4 say, and only "
        "made larger. Early layers see edges, late ones whole shapes.",
        "Grad-CAM (Selvaraju et al., 2017)",
        "https://arxiv.org/abs/1610.02391",
    ),
    # Explain: before and after training
    "growth": Guide(
        "What one layer makes of your digit at this moment of the training: one small picture for each channel, or one "
        "square for each unit. The brighter, the larger the value; all moments share one scale. At epoch 0 the weights "
        "are random. Move the slider and see which channels begin to answer to strokes and corners.",
        "activation, feature map",
        "https://keras.io/guides/sequential_model/#feature-extraction-with-a-sequential-model",
    ),
    "answers by epoch": Guide(
        "How probable the network found each of the ten digits, for this one image, after each epoch kept. Teal is "
        "what it answers in the end, orange the rival that came closest, grey the other eight. At epoch 0 it guesses. "
        "The dashed line is the moment that the slider shows.",
        "softmax probabilities",
        "https://keras.io/api/layers/activation_layers/softmax/",
    ),
    "filters": Guide(
        "The weights of the first layer, one tile for each filter: above before the training, below after it. Teal "
        "weights answer to ink, orange ones to its absence; all tiles share one scale. Random at first, some become "
        "edges: teal on one side, orange on the other.",
        "convolution kernel",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    # Sweep
    "best so far": Guide(
        "Each dot is a trial, a cross one that was ended early. The staircase is the best so far. While it climbs, "
        "searching longer pays; a long tread says that more trials of this kind will hardly help. A search that "
        "learns (TPE) climbs sooner than one at random.",
        "hyperparameter optimisation, best-so-far curve",
        "https://arxiv.org/abs/1907.10902",
    ),
    "pruned curves": Guide(
        "Validation at the end of each epoch, a line for each trial; teal is the best. Grey ones were ended early: at "
        "the same epoch they were worse than the median of the trials before. That saves time, and now and then it "
        "ends one that would have caught up.",
        "pruning, early stopping of trials, median stopping rule",
        "https://dl.acm.org/doi/10.1145/3097983.3098043",
    ),
    "parallel coordinates": Guide(
        "One line for each trial, from axis to axis through its settings to what it came to. Draw a box over an axis, "
        "or over several, with the mouse: only lines through it keep their colour. Box the good end of the last axis "
        "and see which settings lead there. A click beside the box lets all back in.",
        "parallel coordinates, brushing",
        "https://doi.org/10.1007/BF01898350",
    ),
    "slice": Guide(
        "Every trial, by one of its settings. The others vary, too: that is why dots at one place differ in height. "
        "Look at the upper edge: where is it highest, and is it highest at an end of the range? Then widen the range. "
        "Bluer dots came later.",
        "slice plot",
        "https://arxiv.org/abs/1907.10902",
    ),
    "contour": Guide(
        "Two settings at once. Dots are trials; the colours between them are a guess, the mean of the trials, the "
        "nearer the heavier. A slanting ridge says that the two settings must be chosen together; stripes along an "
        "axis, that only one of them matters. Trust it where there are dots.",
        "response surface, inverse distance weighting (Shepard, 1968)",
        "https://doi.org/10.1145/800186.810616",
    ),
    "importance": Guide(
        "What share of the ups and downs among trials each setting explains by itself, as a random forest learned it "
        "from them. The orange line is how far eight such forests disagree: where lines overlap, the order is not "
        "known. It holds for the ranges searched; a setting that was hardly varied cannot matter.",
        "functional analysis of variance, fANOVA (Hutter et al., 2014)",
        "https://proceedings.mlr.press/v32/hutter14.html",
    ),
    "trials": Guide(
        "One row for each trial: its settings and the measure on the validation images. The test images are not looked "
        "at: whoever chooses among twenty by the test set has made it a part of the training, and its figure is too "
        "good. They are used once, for the winner.",
        "validation set, model selection",
        "https://scikit-learn.org/stable/modules/cross_validation.html",
    ),
}
"""By the name that `exhibit` is given."""
