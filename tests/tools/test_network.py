"""The acoustic network's steps and how far it looks to the right."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tools.acoustic.network import Network, NetworkConfig  # noqa: E402

SMALL = {"mels": 16, "front": 4, "dim": 8, "hidden": 16, "kernel": 3, "units": 5, "states": 7}


def last_frame_seen(config: NetworkConfig, step: int, frames: int = 60) -> int:
    """Return the last input frame that an output row depends on."""
    network = Network(config).eval()
    features = torch.randn(
        1, frames, config.mels, generator=torch.Generator().manual_seed(1), requires_grad=True
    )
    network(features)[0][0, step].abs().sum().backward()
    assert features.grad is not None
    return int(features.grad[0].abs().sum(-1).nonzero().max())


@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("ahead", [None, 0, 2])
def test_row_sees_what_it_stands_for_and_its_look_ahead_but_no_more(stride: int, ahead: int | None) -> None:
    torch.manual_seed(1)
    config = NetworkConfig(**SMALL, blocks=3, stride=stride, ahead=ahead)
    step = 2 + config.lag_steps  # stands for step 2 of the input
    assert config.lookahead_frames == (1 + (3 if ahead is None else ahead)) * stride
    assert last_frame_seen(config, step) <= 2 * stride + config.lookahead_frames + stride - 1
    assert last_frame_seen(config, step) >= 2 * stride + config.lookahead_frames


def test_stride_says_how_many_rows_come_out() -> None:
    for stride in (2, 3, 4):
        network = Network(NetworkConfig(**SMALL, blocks=2, stride=stride)).eval()
        assert network(torch.zeros(1, 48, 16))[0].shape[1] == 48 // stride
