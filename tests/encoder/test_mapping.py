"""What an Edge TPU would make of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edgeasr.bundle import locate
from edgeasr.encoder.mapping import SRAM_BYTES, check_mapping
from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_default_bundle_maps_and_fits_on_the_chip() -> None:
    bundle = locate("edgeasr-en")
    mapping = check_mapping(bundle.file(bundle.manifest.encoder.file))
    assert mapping.faults == ()
    assert mapping.operations["CONV_2D"] > 10
    assert 1_000_000 < mapping.parameter_bytes <= mapping.on_chip_bytes <= SRAM_BYTES
    assert all(cost.padded >= cost.stored * 0.99 for cost in mapping.constants if len(cost.shape) == 4)


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "encoder.tflite"
    path.write_bytes(b"x" * 1000)
    with pytest.raises(BundleError, match="not a graph"):
        check_mapping(path)
