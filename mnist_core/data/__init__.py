"""MNIST: where it comes from, how it is split and augmented, and what it looks like as a whole."""
