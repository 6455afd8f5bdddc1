"""The pages of the documentation, and in `made` what makes parts of them."""
