"""How SN's mixtures are trained where the user leaves it to us, as docs/results.md found best."""

MIXING_LR_SCALE = 100.0
"""At the rate of the other weights the shares hardly move."""
PRETRAINED_SHARE = 0.9
"""Of BN at the start from pretrained weights: from `bn` the shares of IN and LN cannot move."""
