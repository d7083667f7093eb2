"""Trains models: the training loop, runs with checkpoints and live control, fine-tuning, the learning-rate finder."""
