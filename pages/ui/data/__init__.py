"""The views of the Data page: the images that models are trained and tested on."""
