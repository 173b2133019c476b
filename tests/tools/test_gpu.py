"""Training on a graphics processor, as far as a machine without one can tell: its features, batches and network."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("soundfile")

import torch

from edgeasr.frontend import LogMel, Normaliser, NormaliserConfig
from tools.acoustic.gpu.average import Average
from tools.acoustic.gpu.distort import DistortConfig, Distorter, log_mel
from tools.acoustic.gpu.feeder import Feeder
from tools.acoustic.gpu.speech import Corpus, Draw, PlanConfig, Waves, plan
from tools.acoustic.network import NetworkConfig
from tools.acoustic.normalised import normalised
from tools.acoustic.regularised import Regularised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CPU = torch.device("cpu")
NORMALISER = NormaliserConfig(tuple(np.linspace(-6.0, -8.0, 64).tolist()), (3.5,) * 64)
AS_IT_IS = DistortConfig(
    room=0.0, noise=0.0, hiss=0.0, gain_db=(0.0, 0.0), colour=0.0, band_limit=0.0, pitch=0.0, band_masks=0,
    time_mask_frames=0,
)  # fmt: skip


def recording(seconds: float, seed: int) -> NDArray[np.int16]:
    """Noise that swells and fades, with a quiet stretch in the middle."""
    rng = np.random.default_rng(seed)
    size = int(seconds * 16_000) // 160 * 160
    level = np.abs(np.sin(np.linspace(0.0, 9.0, size))) * 6000.0 + 20.0
    level[size // 2 : size // 2 + 1600] = 20.0
    return (rng.standard_normal(size) * level).clip(-32768, 32767).astype(np.int16)


def corpus(seconds: tuple[float, ...] = (3.0, 4.5, 12.0)) -> Corpus:
    waves = [recording(length, seed) for seed, length in enumerate(seconds)]
    frames = np.array([len(wave) // 160 for wave in waves])
    first = np.concatenate([[0], np.cumsum(frames)[:-1]])
    rooms = np.zeros((2, 4000), dtype=np.float32)
    rooms[:, 0], rooms[1, 1600] = 1.0, 0.5
    return Corpus(
        speech=Waves.on(CPU, waves),
        phones=[np.arange(1, 9)] * len(waves),
        parts=["clean", "noisy", "clean"],
        frames=frames,
        states=torch.from_numpy(np.arange(frames.sum() + 1) % 118).to(torch.uint8),
        state_first=torch.from_numpy(first),
        sounds=Waves.on(CPU, [recording(5.0, 9), recording(2.0, 8)]),
        rooms=torch.from_numpy(rooms),
    )


def draw(rows: tuple[int, ...], speeds: tuple[float, ...], before: tuple[int, ...], frames: int) -> Draw:
    return Draw(np.array(rows), np.array(speeds), np.array(before), np.full(len(rows), frames))


def test_undistorted_features_are_the_daemon_s() -> None:
    speech = corpus()
    features, _ = Distorter(speech, NORMALISER, AS_IT_IS)(draw((0, 2), (1.0, 1.0), (0, 0), 1200))
    for row, place in enumerate((0, 2)):
        size = int(speech.speech.length[place])
        samples = speech.speech.samples[speech.speech.first[place] :][:size].numpy()
        expected = Normaliser(NORMALISER).process(LogMel(max_frames=2000).process(samples).copy())
        np.testing.assert_allclose(features[row, : size // 160].numpy(), expected, atol=2e-3)


def test_the_normaliser_s_long_memory_needs_no_loop() -> None:
    logmel = torch.from_numpy(np.random.default_rng(0).normal(-5.0, 3.0, (2, 4000, 64)).astype(np.float32))
    expected = Normaliser(NORMALISER, (2,)).process(logmel.transpose(0, 1).contiguous().numpy().copy())
    np.testing.assert_allclose(normalised(logmel, NORMALISER).transpose(0, 1).numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("speed", [0.86, 1.0, 1.16])
def test_another_speed_moves_pitch_and_labels(speed: float) -> None:
    time = np.arange(48_000) / 16_000
    tone = (8000 * np.sin(2 * np.pi * 1000 * time)).astype(np.int16)
    speech = corpus((3.0, 3.0, 3.0))
    speech.speech.samples[: len(tone)] = torch.from_numpy(tone)
    distorter = Distorter(speech, NORMALISER, AS_IT_IS)
    features, labels = distorter(draw((0,), (speed,), (30,), 480))
    filters, window = distorter._filters, distorter._window
    expected = torch.from_numpy((0.25 * np.sin(2 * np.pi * 1000 * speed * time)).astype(np.float32))
    loudest = int(log_mel(expected[None], filters, window)[0, 50:200].mean(0).argmax())
    raw = features[0, 80:200] * 3.5
    assert abs(int(raw.mean(0).argmax()) - loudest) <= 1
    assert labels[0, :10].tolist() == [0] * 10  # 300 ms of silence come first
    step = 50
    assert labels[0, step] == int((3 * step + 1.5 - 30) * speed) % 118
    assert (labels[0, 160:] == -1).all()


def test_rows_without_speech_are_sounds_and_silence_is_their_label() -> None:
    features, labels = Distorter(corpus(), NORMALISER, DistortConfig())(
        draw((1, -1, -1), (1.0, 1.0, 1.0), (3, 0, 0), 300)
    )
    assert torch.isfinite(features).all()
    assert (labels[1:, :100] == 0).all()
    assert (labels[0] > 0).any()


def test_distortions_differ_from_time_to_time_and_repeat_with_their_seed() -> None:
    speech, one = corpus(), draw((0, 1), (1.0, 1.1), (3, 6), 600)

    def made(seed: int) -> list[torch.Tensor]:
        distorter = Distorter(speech, NORMALISER, DistortConfig(room=0.5, noise=1.0), seed)
        return [distorter(one)[0], distorter(one)[0]]

    first, again = made(1), made(1)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.allclose(first[0], first[1])


def test_a_plan_keeps_to_its_batches_and_shares() -> None:
    speech = corpus((2.0,) * 60 + (4.0,) * 60)
    speech.parts[:] = ["clean", "noisy"] * 60
    config = PlanConfig(batch_seconds=30.0, silent_rows=0.2)
    draws = plan(speech, config, {"noisy": 0.25}, np.random.default_rng(3))
    rows = np.concatenate([d.rows for d in draws])
    assert sorted(rows[rows >= 0].tolist()) == sorted(set(rows[rows >= 0].tolist()))
    assert sum(row % 2 == 0 for row in rows if row >= 0) == 60
    assert 5 <= sum(row % 2 == 1 for row in rows if row >= 0) <= 25
    assert 3 <= (rows < 0).sum() <= 30
    for d in draws:
        spoken = d.rows >= 0
        assert spoken.sum() * d.frames[spoken].max() <= 3000
        assert (d.frames // 3 > 13).all()


def test_an_utterance_too_short_for_its_phones_is_left_out() -> None:
    speech = corpus((2.0, 2.0, 2.0))
    speech.phones[1] = np.ones(70, dtype=np.int64)
    rows = np.concatenate([d.rows for d in plan(speech, PlanConfig(), {}, np.random.default_rng(0))])
    assert set(rows[rows >= 0].tolist()) == {0, 2}


def test_in_use_the_regularised_network_is_the_plain_one() -> None:
    torch.manual_seed(0)
    network = Regularised(NetworkConfig(front=8, dim=32, hidden=64, blocks=3), 0.3, 0.3)
    features = torch.randn(2, 90, 64)
    network.train()
    network.all_logits(features)  # statistics that are not those of the start
    network.eval()
    units, states, middle = network.all_logits(features)
    plain = network(features)
    assert torch.allclose(units, plain[0], atol=1e-5)
    assert torch.allclose(states, plain[1], atol=1e-5)
    assert middle.shape == units.shape
    assert all(not name.startswith("middle") for name in network.shipped(network.state_dict()))


def test_what_is_dropped_differs_from_pass_to_pass() -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 90, 64)
    for dropout, branches in ((0.3, 0.0), (0.0, 0.5)):
        network = Regularised(NetworkConfig(front=8, dim=32, hidden=64, blocks=3), dropout, branches)
        for block in network.blocks:
            torch.nn.init.normal_(block.project.weight, std=0.1)
        assert not torch.allclose(network.all_logits(features)[0], network.all_logits(features)[0])


def test_the_feeder_keeps_the_order_and_tells_of_faults() -> None:
    def draws() -> Iterator[Draw]:
        for number in count():
            yield draw((number,), (1.0,), (0,), 100)

    def make(one: Draw) -> tuple[torch.Tensor, torch.Tensor]:
        if one.rows[0] == 5:
            raise ValueError("the sixth")
        return torch.tensor(float(one.rows[0])), torch.tensor(0)

    feeder = Feeder(draws(), make, CPU)
    assert [int(feeder.next().features) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="the sixth"):
        feeder.next()
    feeder.close()


def test_the_average_comes_to_rest_where_the_weights_do() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    average = Average(layer, 0.9)
    with torch.no_grad():
        layer.weight.fill_(5.0)
    for _ in range(200):
        average.follow()
    assert float(average.weights()["weight"]) == pytest.approx(5.0, abs=1e-3)
