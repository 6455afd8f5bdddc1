"""Label errors: where a confident model disagrees with the truth, as an aid to mend labels."""
