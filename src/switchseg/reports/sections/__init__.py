"""The sections of the report, one file each: `section(runs)` returns its markup, or None where there is nothing."""
