"""Trained models: conversion to LiteRT, classification, activations of every layer, and weights."""
