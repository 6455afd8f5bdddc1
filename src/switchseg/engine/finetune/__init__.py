"""Fine-tuning on a folder of images: look at the data, choose the settings, measure what fits, fit the length.

What is chosen becomes a `RunConfig`, and the training itself is `engine.train`: nothing happens here that the config
does not repeat.
"""
