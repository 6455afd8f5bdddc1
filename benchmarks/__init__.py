"""Measurements, as ratios taken side by side in one run. `switchseg bench NAME` runs NAME.py of this folder."""
