"""Switchable Normalization in the libraries of others, by their own means: a module each."""
