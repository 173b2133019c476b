"""Tune the decoder and its confidences on cached log-probabilities; see `python -m tools.tune --help`."""
