"""Measures trained models: metrics, calibration, robustness, mistakes and significance."""
