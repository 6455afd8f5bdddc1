"""Normalization layers that learn which statistics to use. Imports torch and nothing else."""
