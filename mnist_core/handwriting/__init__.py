"""Digits to train on besides MNIST: pen digits, digit forms, non-digits and corrections."""
