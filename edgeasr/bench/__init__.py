"""Measurements: speed, latency, memory and accuracy; see `bench.Bench`, which the command alone needs."""

from edgeasr.bench.material import Clip, Row, choose, dataset_clips, noise_floor, read_rows, read_samples
from edgeasr.bench.percentile import percentiles
from edgeasr.bench.table import table
from edgeasr.bench.wer import Edit, ErrorCount, align, count_errors, words_of

__all__ = [
    "Clip",
    "Edit",
    "ErrorCount",
    "Row",
    "align",
    "choose",
    "count_errors",
    "dataset_clips",
    "noise_floor",
    "percentiles",
    "read_rows",
    "read_samples",
    "table",
    "words_of",
]
