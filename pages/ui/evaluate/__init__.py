"""The views of the Evaluate page: how good a model is on images that it has not been trained on."""
