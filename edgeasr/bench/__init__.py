"""Measurements: speed, latency, memory and accuracy; see `Bench`."""

from edgeasr.bench.percentile import percentiles
from edgeasr.bench.wer import Edit, ErrorCount, align, count_errors, words_of

__all__ = ["Edit", "ErrorCount", "align", "count_errors", "percentiles", "words_of"]
