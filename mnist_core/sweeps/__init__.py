"""Hyperparameter sweeps: many trials of a search space, proposed by Optuna and trained as ordinary runs."""
