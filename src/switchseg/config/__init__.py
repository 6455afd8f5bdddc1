"""One config describes one run: the rooms' own dataclasses, composed."""
