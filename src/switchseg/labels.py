"""What a label value means, for every room."""

IGNORED = 255
"""The label of pixels that count neither in the loss nor in a score; classes are 0 .. C - 1."""
