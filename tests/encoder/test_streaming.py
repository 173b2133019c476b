"""The int8 graph, chunk by chunk, against one pass over everything."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from one_pass import assert_chained_hops_equal_one_pass, features

from edgeasr.bundle import Bundle, locate
from edgeasr.encoder import Accelerator, open_encoder
from edgeasr.errors import AcceleratorError


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return locate("edgeasr-en")


def test_chained_hops_equal_one_long_pass(bundle: Bundle) -> None:
    assert_chained_hops_equal_one_pass(bundle)


def test_reset_brings_back_the_first_answer(bundle: Bundle) -> None:
    frames = features(bundle, 6)
    encoder = open_encoder(bundle, "cpu")
    hop = encoder.hop_frames
    runs = []
    for _ in range(2):
        encoder.reset()
        runs.append([encoder.step(frames[i : i + hop]).copy() for i in range(0, len(frames), hop)])
    np.testing.assert_array_equal(runs[0], runs[1])


def test_rows_are_log_probabilities(bundle: Bundle) -> None:
    encoder = open_encoder(bundle, "cpu")
    rows = encoder.step(features(bundle, 1))
    assert rows.shape == (encoder.hop_frames // encoder.stride, bundle.manifest.encoder.units)
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1.0, rtol=1e-5)


def test_a_hop_leaves_no_memory_behind(bundle: Bundle) -> None:
    encoder = open_encoder(bundle, "cpu")
    frames = features(bundle, 1)
    for _ in range(20):
        encoder.step(frames)
    growth, peaks = [], []
    tracemalloc.start()
    for _ in range(3):  # what other threads allocate meanwhile is not in all of them; what a hop leaves is
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(200):
            encoder.step(frames)
        after, peak = tracemalloc.get_traced_memory()
        growth.append(after - before)
        peaks.append(peak - before)
    tracemalloc.stop()
    assert min(growth) < 2_000
    assert min(peaks) < frames.nbytes, "a hop should not allocate an array of its input's size"


def test_the_cpu_is_chosen_where_there_is_no_edge_tpu(bundle: Bundle) -> None:
    assert open_encoder(bundle, "auto").accelerator is Accelerator.CPU


def test_asking_for_an_edge_tpu_that_is_not_there_names_the_mend(bundle: Bundle) -> None:
    with pytest.raises(AcceleratorError, match=r"encoder\.accelerator to 'auto'"):
        open_encoder(bundle, "edgetpu")
