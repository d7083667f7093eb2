"""Recipes: named settings to train with, overrides of settings, and learning-rate schedules."""
