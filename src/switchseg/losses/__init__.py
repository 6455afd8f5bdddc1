"""Losses as sums over labelled pixels; the training step divides by the count."""
