"""Kept checkpoints are small, and still the same network."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from typing import TYPE_CHECKING, Any

import torch

from edgeasr.errors import UsageError
from tools.acoustic.average import averaged
from tools.acoustic.keep import read_checkpoint, rounded, write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


def test_rounded_weights_stay_within_a_hundredth() -> None:
    values = torch.randn(2000, generator=torch.Generator().manual_seed(1)) * 0.1
    kept = rounded(values)
    assert kept.dtype == torch.float16
    assert float(((kept.float() - values).abs() / values.abs()).max()) < 0.01
    assert rounded(torch.tensor([0.0, 1.0, -2.0])).tolist() == [0.0, 1.0, -2.0]


def test_a_compressed_checkpoint_holds_what_it_was_given_in_two_thirds(tmp_path: Path) -> None:
    weights = rounded(torch.randn(400, 500, generator=torch.Generator().manual_seed(1)))
    write_checkpoint({"average": {"a.weight": weights}}, tmp_path / "small.pt.xz")
    write_checkpoint({"average": {"a.weight": weights}}, tmp_path / "plain.pt")
    assert torch.equal(read_checkpoint(tmp_path / "small.pt.xz")["average"]["a.weight"], weights)
    assert torch.equal(read_checkpoint(tmp_path / "plain.pt")["average"]["a.weight"], weights)
    assert (tmp_path / "small.pt.xz").stat().st_size < 0.72 * (tmp_path / "plain.pt").stat().st_size


def test_an_average_lies_between_its_checkpoints_and_needs_one_network() -> None:
    def checkpoint(value: float, width: int = 3) -> dict[str, Any]:
        head = {
            "network": {"dim": width},
            "prior_mean": [0.0],
            "scale": [1.0],
            "units": ["AA"],
            "progress": {},
        }
        return head | {"average": {"a.weight": torch.full((2, 2), value), "a.count": torch.tensor(7)}}

    between = averaged([checkpoint(1.0), checkpoint(3.0)], [0.25, 0.75])["average"]
    assert between["a.weight"].tolist() == [[2.5, 2.5], [2.5, 2.5]]
    assert int(between["a.count"]) == 7
    with pytest.raises(UsageError, match="one network"):
        averaged([checkpoint(1.0), checkpoint(3.0, width=4)], [0.5, 0.5])
    with pytest.raises(UsageError, match="1 in all"):
        averaged([checkpoint(1.0), checkpoint(3.0)], [0.5, 0.4])
