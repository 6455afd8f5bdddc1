"""The web page: label an image with one model or two side by side. Needs the extra `demo`."""
