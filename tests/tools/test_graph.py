"""The streaming graph computes what the trained network does, whatever its stride and look-ahead."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
tf = pytest.importorskip("tensorflow")

from tools.acoustic.graph import StreamingGraph  # noqa: E402
from tools.acoustic.network import Network, NetworkConfig  # noqa: E402

SMALL = {"mels": 16, "front": 4, "dim": 8, "hidden": 16, "blocks": 3, "kernel": 3, "units": 5, "states": 7}


@pytest.mark.parametrize(("stride", "ahead"), [(3, None), (2, 1), (4, 0)])
def test_hop_by_hop_equals_one_pass(stride: int, ahead: int | None) -> None:
    torch.manual_seed(1)
    config = NetworkConfig(**SMALL, stride=stride, ahead=ahead)
    network = Network(config).eval()
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    hop = 2 * stride
    graph = StreamingGraph(weights, config, hop)
    features = np.random.default_rng(1).standard_normal((1, 10 * hop, config.mels)).astype(np.float32)
    with torch.no_grad():
        whole = network(torch.from_numpy(features))[0].numpy()[0]
    states = [tf.zeros(shape) for shape in graph.state_shapes().values()]
    rows = []
    for first in range(0, features.shape[1], hop):
        out = graph(tf.constant(features[:, first : first + hop, :, None]), *states)
        rows.append(out["logits"].numpy().reshape(-1, config.units))
        states = [out[name] for name in graph.state_shapes()]
    # States of zeros stand for hidden frames that the long pass pads otherwise at its beginning.
    settled = config.blocks * (config.kernel - 1) + 4
    np.testing.assert_allclose(np.concatenate(rows)[settled:], whole[settled:], atol=1e-4)
