"""How to read each figure: a short explanation, the term of art, and a source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guide:
    """The explanation of a figure.

    Attributes:
        text: at most 80 words, Markdown.
        term: what the field calls the figure or its subject.
        link: a paper, or a page of Keras or scikit-learn.
    """

    text: str
    term: str
    link: str


GUIDES = {
    # Draw
    "prediction": Guide(
        "Ten bars, one for each digit: the probabilities that the network assigns. The longest bar is its prediction. "
        "A long bar proves nothing: the network is confident about whatever resembles its training data. The model "
        "that comes with Digit Lab has an eleventh output for drawings that are not a digit, and an eleventh bar.",
        "softmax, class probabilities",
        "https://keras.io/api/layers/activation_layers/softmax/",
    ),
    "stages": Guide(
        "From left to right: how your drawing becomes the 28×28 pixels that the network gets. As in MNIST, it is "
        "cropped to the ink, shrunk to 20×20 and centered by its center of mass. Turn on *Plain resize* to see how "
        "much worse predictions get without these stages.",
        "preprocessing, normalization by size and center of mass",
        "https://doi.org/10.1109/5.726791",
    ),
    # Train and Runs
    "accuracy curves": Guide(
        "**Accuracy** is the share of images read correctly: higher is better. Training progresses from left to right. "
        "The **training** line is about the images the network learns from, the **validation** dots about images it "
        "never learns from; the thin line between them is an estimate on 1,000 of these. If training accuracy rises "
        "while validation accuracy falls, the network memorizes its training images. A dashed line marks a changed "
        "setting.",
        "learning curve, overfitting",
        "https://keras.io/api/models/model_training_apis/",
    ),
    "loss curves": Guide(
        "**Loss** measures how far the predictions are from the labels, and punishes confident mistakes most: lower is "
        "better. Training progresses from left to right: the **training** line, and **validation** dots for images the "
        "network never learns from; the thin line between them is an estimate on 1,000 of these. If training loss "
        "falls while validation loss rises, the network memorizes its training images. A dashed line marks a changed "
        "setting.",
        "learning curve, overfitting",
        "https://keras.io/api/models/model_training_apis/",
    ),
    "probe grid": Guide(
        "Sixty test digits, six of each. Teal frame: the network reads the digit correctly. Orange frame: it does not, "
        "and the number shows what it reads instead. Early in training, most frames are orange; the last ones to "
        "turn teal are the hard digits.",
        "test set, generalization",
        "https://keras.io/examples/vision/mnist_convnet/",
    ),
    "probe history": Guide(
        "Each strip is one of your drawings: a row for each digit, time from left to right. The brighter a pixel, the "
        "higher the probability at that moment. See when the network made up its mind, and whether it changed it "
        "later.",
        "class probabilities during training",
        "https://keras.io/guides/writing_your_own_callbacks/",
    ),
    # Train: advanced settings and the learning-rate finder
    "schedule": Guide(
        "The planned learning rate from the first epoch to the last. A high rate at the start makes fast progress, a "
        "low rate at the end settles into a minimum. A rise at the beginning (warm-up) protects the random initial "
        "weights from large steps. Change the schedule above to see another curve.",
        "learning-rate schedule",
        "https://keras.io/api/optimizers/learning_rate_schedules/",
    ),
    "range test": Guide(
        "A new network is trained while the learning rate rises with every batch. Each dot is one batch, the line is "
        "their moving average. On the left the steps are too small to learn anything, then the loss falls, then the "
        "steps are too large and it explodes. Choose a rate well before that: the dashed line marks a tenth of the "
        "rate with the lowest loss.",
        "learning-rate range test (Smith, 2017)",
        "https://arxiv.org/abs/1506.01186",
    ),
    "accuracy against cost": Guide(
        "Each dot is a run. Further right it costs more, further up it reads more validation images correctly, so the "
        "best runs are along the upper left edge. The horizontal scale is logarithmic: each step means ten times the "
        "cost.",
        "accuracy–efficiency trade-off, Pareto front",
        "https://arxiv.org/abs/1905.11946",
    ),
    "confusion matrix": Guide(
        "A row for each true digit, a column for each prediction. The teal diagonal holds the correct predictions. The "
        "stronger the orange of another cell, the more often its digit is mistaken for the other one. 4 and 9, and 3 "
        "and 5, are the usual pairs.",
        "confusion matrix",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.confusion_matrix.html",
    ),
    # Train: custom networks
    "network diagram": Guide(
        "From left to right, line by line: the image, then the output of each layer. The height of a box shows the "
        "rows of the output and its width the channels, on a logarithmic scale. A thin bar is a list of numbers. Below "
        "each box are the layer's settings, its output shape and its weights. A dashed box marks a layer that does not "
        "fit its input.",
        "architecture diagram, tensor shapes",
        "https://keras.io/api/utils/model_plotting_utils/",
    ),
    "network cost": Guide(
        "A row for each layer. **Parameters** are the numbers it learns, **multiply-adds** the work for one image. "
        "**Sees pixels** is the part of the image that can change one of its values; it grows with depth. **Step** is "
        "the distance in pixels between what two neighboring values see. The last row is the total.",
        "receptive field, multiply–accumulate operations",
        "https://distill.pub/2019/computing-receptive-fields/",
    ),
    # Data
    "digit grid": Guide(
        "A hundred digits at a time, each with its MNIST label below. If a model is selected and predicts another "
        "digit, the caption is orange: label, arrow, prediction. Click a digit to enlarge it. Indices count from 0 in "
        "the order of the files, so digit 999 is the same everywhere.",
        "MNIST, labeled examples",
        "https://keras.io/api/datasets/mnist/",
    ),
    "pixels of a digit": Guide(
        "This is all that a network gets: 28 rows of 28 numbers, from 0 for paper to 255 for ink. Hover to read them. "
        "MNIST's makers shrank each digit to 20×20, which made its edges gray, and centered it by its center of mass.",
        "grayscale image, anti-aliasing",
        "https://keras.io/api/datasets/mnist/",
    ),
    "class balance": Guide(
        "Two bars for each digit: the number of training and of test images that show it. They are nearly even, so a "
        "network that always predicts 1 is right in only one of nine cases. In an unbalanced data set, accuracy would "
        "flatter such a network.",
        "class balance",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.balanced_accuracy_score.html",
    ),
    "mean digits": Guide(
        "Each pixel is the mean of that pixel over all training images of a digit. It is bright where people agree and "
        "blurred where they differ: 1s lean in many directions. The simplest classifier predicts the nearest of these "
        "ten images and is right about four times in five.",
        "class mean, nearest centroid",
        "https://scikit-learn.org/stable/modules/generated/sklearn.neighbors.NearestCentroid.html",
    ),
    "pixel intensities": Guide(
        "How many pixels of all training images have which value. The scale is logarithmic: each line up means ten "
        "times as many. Most pixels are paper, many are full ink, few are in between. Networks train better on values "
        "divided by 255.",
        "histogram, rescaling",
        "https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/",
    ),
    "tutorial figure": Guide(
        "The first training digits as tutorials print them: ten in a row, or four in a square. If yours are 5 0 4 1 9 "
        "2 1 3 1 4, you have the same file in the same order.",
        "MNIST",
        "https://keras.io/api/datasets/mnist/",
    ),
    "uncentered": Guide(
        "Above, each digit is in the middle of a field of 56×56 pixels. Below, the same digits are at random places, "
        "as the uncentered recipes train on them. A dense network has to learn each place separately; a convolution "
        "applies what it has learned everywhere.",
        "translation invariance",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "augmentation": Guide(
        "A row for each kind of change: the original digit in the middle, and on either side the largest change that "
        "the slider allows. Training draws a random value within each range for every image, so the network never "
        "sees the same digit twice. Too large a range turns a 6 into a 9.",
        "data augmentation, elastic distortion (Simard et al. 2003)",
        "https://keras.io/api/layers/preprocessing_layers/image_augmentation/",
    ),
    "map of digits": Guide(
        "Each numeral is one digit image, and similar images are close together. The axes are the directions in which "
        "the values vary most. By their pixels the digits overlap: two numbers cannot describe an image. By the last "
        "hidden layer of a trained network they form groups: that is what it has learned. Scroll to zoom, hover to see "
        "an image, click the legend to select a digit.",
        "principal component analysis",
        "https://scikit-learn.org/stable/modules/generated/sklearn.decomposition.PCA.html",
    ),
    "hashes": Guide(
        "A hash is a fingerprint of bytes. Two people with the same SHA-256 have exactly the same pixels and labels in "
        "the same order, so their results can be compared. x are the images, y the labels. Each hash covers the bytes "
        "of the array in memory, row by row.",
        "SHA-256, provenance",
        "https://keras.io/api/datasets/mnist/",
    ),
    # Explain: layers and weights
    "layer outputs": Guide(
        "From the image to the prediction, layer by layer. Each small image is a **channel**: what one filter found, "
        "and where. Teal is above zero, orange below, black is zero; the brightest color is the layer's largest value. "
        "Early layers still resemble the digit, later ones are small and represent whole parts of it. A list of "
        "numbers is shown as rows of squares.",
        "activations, feature maps",
        "https://arxiv.org/abs/1311.2901",
    ),
    "channels": Guide(
        "The channels of the selected layer on one scale, at most 256 at a time. Click one to enlarge it. A black "
        "channel did not find what it looks for in this digit.",
        "feature map",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "channel": Guide(
        "Each square is one **unit**. Click one to see below how its value is computed: which part of the layer before "
        "it sees, and what it does with that.",
        "unit, receptive field",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "units": Guide(
        "A bar for each value of the layer. Click one to see below how it is computed.",
        "dense layer",
        "https://keras.io/api/layers/core_layers/dense/",
    ),
    "patch and filter": Guide(
        "Left, what the unit sees. Middle, its **filter**, the weights it has learned. Right, their product, pixel by "
        "pixel. The sum of all pixels of the right image over all channels is the weighted sum. Teal is above zero, "
        "orange below; each image has its own scale.",
        "convolution",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "patch": Guide(
        "The window of the previous layer that the unit sees, in the unit's own channel. **Max pooling** passes on its "
        "largest number, **average pooling** the mean. Teal is above zero, orange below.",
        "pooling",
        "https://keras.io/api/layers/pooling_layers/",
    ),
    "contributions": Guide(
        "The inputs that influence this unit most: each input value times the unit's weight for it. Values above zero "
        "raise the unit, values below zero lower it. All of them together with the bias make the weighted sum.",
        "weighted sum",
        "https://keras.io/api/layers/core_layers/dense/",
    ),
    "largest shares": Guide(
        "The outputs of the softmax with the largest shares. **Input** is an output's score, its logit. Its **share** "
        "is e to the power of the input, divided by the sum of these powers over all outputs. The shares sum to 1 and "
        "are the model's probabilities.",
        "softmax, logits",
        "https://keras.io/api/layers/activation_layers/softmax/",
    ),
    "arithmetic": Guide(
        "Read from top to bottom: each line is computed from those above it, and the last is the value that the layer "
        "passes on.",
        "forward pass",
        "https://keras.io/api/layers/activations/",
    ),
    "first filters": Guide(
        "What the first layer looks for: teal weights (above zero) want ink there, orange weights (below zero) want "
        "none. Usual filters show edges and strokes in several directions. A filter that looks like noise has learned "
        "little.",
        "filters, kernels",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "weight histograms": Guide(
        "How the weights of each layer are distributed, without biases. A wide curve means strong weights; a sharp "
        "peak at zero means that most weights do little. A layer with weights far from zero may have been trained "
        "with too high a learning rate.",
        "weight distribution, initialization",
        "https://keras.io/api/layers/initializers/",
    ),
    "counterfactual": Guide(
        "Left, your digit. Right, the nearest image found that the model reads differently. Middle, the change: orange "
        "pixels were erased, teal pixels drawn. Step by step, the search changes the 2×2 patch that brings another "
        "prediction closest, so the change is small but perhaps not the smallest. If no person would notice it, the "
        "model has a weakness.",
        "counterfactual explanation",
        "https://arxiv.org/abs/1711.00399",
    ),
    "neighbors": Guide(
        "The training digits that are most similar **to the model**: its last hidden layer describes them with nearly "
        "the same numbers. The frame is teal if the label is the prediction, otherwise orange. Similarity is the "
        "cosine of the angle between the two descriptions; 1 means the same direction.",
        "nearest neighbors, cosine similarity",
        "https://scikit-learn.org/stable/modules/metrics.html#cosine-similarity",
    ),
    # Evaluate
    "headline figures": Guide(
        "**Accuracy** is the share read correctly. 95 of 100 **intervals** made this way contain the model's accuracy "
        "on all images of this kind, so two models with widely overlapping intervals may be equally good. **Loss** "
        "also punishes confident mistakes. **Top-2**: the truth is among the two most probable digits. **Calibration "
        "error**: how far the confidence is from the share that is correct.",
        "Wilson score interval",
        "https://doi.org/10.1080/01621459.1927.10502953",
    ),
    "class figures": Guide(
        "**Precision**: of the images read as this digit, the share that shows it. **Recall**: of the images that show "
        "this digit, the share that is read as it. **F1** is high only if both are. **Support**: the number of images "
        "that show it.",
        "precision, recall, F1, support",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.precision_recall_fscore_support.html",
    ),
    "confusion cells": Guide(
        "A row for each true digit, a column for each prediction. The pale teal diagonal holds the correct "
        "predictions. The stronger the orange of another cell, the more often its digit is mistaken for the other one. "
        "Click a cell, or select it in the menu, to see its digits.",
        "confusion matrix",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.confusion_matrix.html",
    ),
    "worst mistakes": Guide(
        "The misread digits, the most confident mistake first. Would you have read them correctly? Some are smudged, "
        "and some have labels that people dispute. No model reaches 100%, and one that does has learned the test set.",
        "label errors in test sets (Northcutt, Athalye and Mueller, 2021)",
        "https://arxiv.org/abs/2103.14749",
    ),
    "reliability diagram": Guide(
        "Each bar stands for the images with a certain confidence, which grows to the right. Its height is the share "
        "read correctly, orange is the confidence. A bar below the orange line means that the model is overconfident, "
        "one above it that it is underconfident. Bars with few images mean little.",
        "reliability diagram, expected calibration error (Guo et al., 2017)",
        "https://arxiv.org/abs/1706.04599",
    ),
    "accuracy by threshold": Guide(
        "Further right, only predictions with more confidence are accepted; the rest is left to a person. **Accepted "
        "predictions** is their share of all images, **accuracy of accepted predictions** the share of them that is "
        "correct. A good model gives up few predictions to avoid its last mistakes.",
        "selective classification, risk and coverage (Geifman and El-Yaniv, 2017)",
        "https://arxiv.org/abs/1705.08500",
    ),
    "mcnemar": Guide(
        "Two models read the same images. Images that both read correctly, or both misread, tell nothing; what counts "
        "is how often exactly one of them is right. Equally good models would each be that one about equally often. "
        "**p** is the probability that chance alone makes such a difference; below 0.05 it is called significant.",
        "McNemar's test (Dietterich, 1998)",
        "https://doi.org/10.1162/089976698300017197",
    ),
    "robustness": Guide(
        "The digits are distorted more and more from the dashed line, where nothing is changed. A curve that stays "
        "high belongs to a model that has seen such digits, or that is built so that the distortion does not matter. "
        "Augmentation prepares a model for it during training.",
        "robustness to corruptions (Mu and Gilmer, MNIST-C, 2019)",
        "https://arxiv.org/abs/1906.02337",
    ),
    "uncentered accuracy": Guide(
        "A dense network has learned each digit in one place and fails elsewhere. Convolutions recognize it in more "
        "places. Cropping and centering the digit first, as the Draw page does, also helps models that were never "
        "trained for this.",
        "translation invariance",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    # Explain: attribution
    "occlusion": Guide(
        "A patch of 4×4 pixels is erased at 169 places in turn, and the model reads the rest. Teal: without these "
        "pixels the digit's probability falls, so the prediction depends on them. Orange: without them it rises, so "
        "they spoke against the digit. What no single patch can change, two together may.",
        "occlusion sensitivity (Zeiler and Fergus, 2014)",
        "https://arxiv.org/abs/1311.2901",
    ),
    "integrated gradients": Guide(
        "The image fades in from black, and each pixel is credited with what it adds to the digit's **logit**, the "
        "score before the softmax. Teal adds, orange subtracts. The credits sum to the total rise of the logit, which "
        "the completeness below checks. Black pixels get none, although empty areas can also speak for a digit.",
        "integrated gradients (Sundararajan et al., 2017)",
        "https://arxiv.org/abs/1703.01365",
    ),
    "completeness": Guide(
        "For each digit: the sum of the attributions of all pixels, and what it should be: the logit of this image "
        "minus that of a black one. The gap is the error of summing over a limited number of steps. The goal is at "
        "most 1%; if the logits hardly differ, no number of steps reaches it.",
        "completeness axiom",
        "https://arxiv.org/abs/1703.01365",
    ),
    "smoothgrad": Guide(
        "The gradient of the digit's logit, averaged over 50 noisy copies of the image. Teal: more ink here would "
        "speak for the digit; orange: against it. It shows what a **change** would do, also on empty paper, not what "
        "the present ink has done. Averaging removes most of the noise of the plain gradient.",
        "SmoothGrad (Smilkov et al., 2017)",
        "https://arxiv.org/abs/1706.03825",
    ),
    "saliency": Guide(
        "The gradient of the digit's logit at this image. Teal: a little more ink here would speak for the digit; "
        "orange: against it. The map is noisy because the gradient of such networks jumps from pixel to pixel. "
        "SmoothGrad shows the same with less noise.",
        "saliency map (Simonyan et al., 2013)",
        "https://arxiv.org/abs/1312.6034",
    ),
    "grad-cam": Guide(
        "Where a convolution found what speaks for the digit. Each channel is weighted by how much the digit's logit "
        "rises with it, and what remains above zero is shown. The map is only as fine as the layer, for example 4×4, "
        "and is enlarged. Early layers see edges, late ones whole shapes.",
        "Grad-CAM (Selvaraju et al., 2017)",
        "https://arxiv.org/abs/1610.02391",
    ),
    # Explain: epoch by epoch
    "growth": Guide(
        "The output of one layer for your digit at this point in training: a small image for each channel, or a "
        "square for each unit. Brighter means larger; all points in time share one scale. Before training the weights "
        "are random. Move the slider to see which channels start to respond to strokes and corners.",
        "activation, feature map",
        "https://keras.io/guides/sequential_model/#feature-extraction-with-a-sequential-model",
    ),
    "predictions by epoch": Guide(
        "The probabilities of the ten digits for this image at each snapshot. Teal is the final "
        "prediction, orange its closest rival, gray the other eight. Before training the network guesses. A network "
        "learns most in its first steps, so the first epoch has about ten snapshots. The dashed line marks the one "
        "that the slider shows.",
        "softmax probabilities",
        "https://keras.io/api/layers/activation_layers/softmax/",
    ),
    "filters": Guide(
        "The weights of the first layer, one tile for each filter: above before training, below after it. Teal "
        "weights respond to ink, orange ones to its absence; all tiles share one scale. They start random, and some "
        "become edges: teal on one side, orange on the other.",
        "convolution kernel",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    # Sweep
    "best so far": Guide(
        "Each dot is a trial, a cross is one that was pruned. The staircase is the best value so far. While it climbs, "
        "a longer search pays off; a long flat part means that more trials of this kind will hardly help. A sampler "
        "that learns (TPE) climbs sooner than random search.",
        "hyperparameter optimization, best-so-far curve",
        "https://arxiv.org/abs/1907.10902",
    ),
    "pruned curves": Guide(
        "The validation result after each epoch, a line for each trial; teal is the best. Gray trials were pruned: at "
        "the same epoch they were worse than the median of earlier trials. That saves time, and occasionally stops a "
        "trial that would have caught up.",
        "pruning, early stopping of trials, median stopping rule",
        "https://dl.acm.org/doi/10.1145/3097983.3098043",
    ),
    "parallel coordinates": Guide(
        "A line for each trial runs through its settings, axis by axis, to its result. Drag a box over one or more "
        "axes: only lines through all boxes keep their color. Box the good end of the last axis to see which settings "
        "lead there. Click outside a box to remove it.",
        "parallel coordinates, brushing",
        "https://doi.org/10.1007/BF01898350",
    ),
    "slice": Guide(
        "All trials by one of their settings. The other settings vary, too, so dots at the same place differ in "
        "height. Look at the upper edge: where is it highest? If that is at an end of the range, widen the range. "
        "Bluer dots are later trials.",
        "slice plot",
        "https://arxiv.org/abs/1907.10902",
    ),
    "contour": Guide(
        "Two settings at once. Dots are trials. The colors between them are an estimate, the average of the trials "
        "weighted by distance. A slanted ridge means that the two settings must be chosen together; stripes along an "
        "axis mean that only one of them matters. Trust the colors only near dots.",
        "response surface, inverse distance weighting (Shepard, 1968)",
        "https://doi.org/10.1145/800186.810616",
    ),
    "importance": Guide(
        "How much of the variation among the trials each setting explains by itself, as a random forest learned it. "
        "The rest, up to 100%, depends on how the settings are combined. The orange line shows how far eight such "
        "forests disagree: where lines overlap, the order is uncertain. This holds for the ranges that were searched; "
        "a setting that hardly varied cannot matter.",
        "functional analysis of variance, fANOVA (Hutter et al., 2014)",
        "https://proceedings.mlr.press/v32/hutter14.html",
    ),
    "trials": Guide(
        "A row for each trial: its settings and its result on the validation images. The test images are not used: "
        "selecting among twenty trials by the test set makes it part of training, and the result is too good. "
        "They are used once, for the best retrained model.",
        "validation set, model selection",
        "https://scikit-learn.org/stable/modules/cross_validation.html",
    ),
}
"""Name, as the functions in `figure` take it -> explanation."""

CURVE_GUIDES = {"loss": "loss curves", "accuracy": "accuracy curves"}
"""What learning curves show -> their guide. For loss, lower is better."""
