"""The rescorer's file says what the trained network says; texts become what the network reads."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from edgeasr.decoder import Rescorer
from edgeasr.errors import UsageError
from tools.lm.neural.export import arrays
from tools.lm.neural.network import END, UNKNOWN, WordNetwork, contrastive_loss
from tools.lm.neural.opened import known_words, moved, open_into
from tools.lm.neural.texts import drawn, encode, frequent, numbered
from tools.lm.sources import Source

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [f"word{number}" for number in range(60)]


@pytest.fixture
def network() -> WordNetwork:
    torch.manual_seed(2)
    made = WordNetwork(len(WORDS) + 2, 64, 128, 3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for norm in [*(block.norm for block in made.blocks), made.norm]:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
    return made.eval()


@torch.no_grad()
def test_the_file_scores_as_the_network_does(network: WordNetwork) -> None:
    lexicon = ["unheard", *WORDS[::-1]]
    rescorer = Rescorer(arrays(network, WORDS, lexicon))
    numbers = numbered(WORDS)
    sentence = [3, 17, 3, 0, 5, 60, 44, 1, 2, 8, 9, 10, 11]
    known = [numbers.get(lexicon[word], UNKNOWN) for word in sentence]
    following = torch.tensor([*known, END])
    states = network(torch.tensor([[END, *known]]))[0]
    wanted = (states * network.embedding(following)).sum(-1) + network.bias[following]
    found = np.array(rescorer.scores([sentence])[0])
    assert np.isnan(found[3]), "a word that the network does not know has no score"
    heard = ~np.isnan(found)
    assert np.abs(found[heard] * np.log(10) - wanted.numpy()[heard]).max() < 0.15, "int8 weights cost so much"


def test_it_learns_a_language_and_normalises_by_itself() -> None:
    """Words that follow each other in a ring: the next one is certain, and its score near 0 without any sum."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    size = 22
    network = WordNetwork(size, 32, 64, 1)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    ring = torch.arange(2, size).repeat(40)
    log_noise = torch.full((size,), -np.log(size))
    for step in range(250):
        begin = step % 20
        words = ring[begin : begin + 16 * 33].view(16, 33)
        noise = torch.randint(0, size, (200,))
        states = network(words[:, :-1]).flatten(0, 1)
        loss = contrastive_loss(network, states, words[:, 1:].flatten(), noise, log_noise)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    network.eval()
    words = ring[None, :33]
    scores = network(words[:, :-1])[0] @ network.embedding.weight.t() + network.bias
    assert torch.equal(scores.argmax(-1), words[0, 1:])
    assert scores.logsumexp(-1).mean().abs() < 0.3


def test_texts_are_drawn_as_often_as_they_are_worth() -> None:
    numbers = numbered(["a", "b"])
    first = encode([["a", "a"]] * 400, numbers)
    second = encode([["b", "c"]] * 10, numbers)
    stream = drawn([first, second], [0.25, 3.0], np.random.default_rng(1))
    assert (stream == numbers["b"]).sum() == (stream == UNKNOWN).sum() == 30
    sentences = (stream == END).sum() - 30
    assert 60 < sentences < 140
    assert (stream == numbers["a"]).sum() == 2 * sentences
    assert stream[-1] == END


def test_the_commonest_words_are_kept_by_weight() -> None:
    sources = [
        Source("books", None, [["old", "old", "old", "rare"]], [], ()),
        Source("everyday", None, [["new", "new"]], [["new"]], ()),
    ]
    assert frequent(sources, {"books": 0.5, "everyday": 1.0}, ["rare", "new", "old", "never"], 2) == [
        "new",
        "old",
    ]


@torch.no_grad()
def test_a_larger_network_goes_on_where_the_file_stopped(network: WordNetwork) -> None:
    lexicon = ["unheard", *WORDS[::-1]]
    stored = arrays(network, WORDS, lexicon)
    words = known_words(stored, lexicon)
    assert sorted(words) == sorted(WORDS)
    larger = WordNetwork(len(words) + 2, 64, 192, 4)
    sample = torch.randint(2, len(words) + 2, (40, 32))
    open_into(larger, stored, sample)
    numbers = numbered(words)
    sentence = [lexicon[place] for place in (3, 17, 5, 60, 44, 1)]
    known = torch.tensor([END, *(numbers[word] for word in sentence)])
    wanted = Rescorer(stored).scores([[lexicon.index(word) for word in sentence]])[0]
    states = larger.eval()(known[None])[0]
    following = torch.tensor([*known[1:], END])
    found = (states * larger.embedding(following)).sum(-1) + larger.bias[following]
    assert found.numpy() / np.log(10) == pytest.approx(wanted, abs=2e-3)
    apart = (larger.train()(sample) - larger.eval()(sample)).abs().mean()
    assert apart < 0.02, "and so while it trains, as far as bfloat16 tells"


@torch.no_grad()
def test_with_other_words_the_old_ones_keep_what_was_known_of_them(network: WordNetwork) -> None:
    stored = arrays(network, WORDS, WORDS)
    words = ["fresh", *WORDS[40:], *WORDS[:20]]
    counted = np.full(len(words) + 2, -3.0, np.float32)
    changed = WordNetwork(len(words) + 2, 64, 128, 3)
    open_into(changed, moved(stored, WORDS, words, counted), torch.randint(2, len(words) + 2, (40, 32)))
    after = Rescorer(arrays(changed.eval(), words, words))
    sentence = ["word41", "word3", "word59", "word19"]
    wanted = Rescorer(stored).scores([[WORDS.index(word) for word in sentence]])[0]
    found = after.scores([[words.index(word) for word in sentence]])[0]
    assert found == pytest.approx(wanted, abs=0.05)
    assert np.isfinite(after.scores([[0, 1]])[0]).all(), "a new word has a score at once"


def test_another_lexicons_file_is_refused(network: WordNetwork) -> None:
    stored = arrays(network, WORDS, WORDS)
    with pytest.raises(UsageError, match="take the bundle's own"):
        known_words(stored, WORDS[1:])


SHARING = """
import sys
import torch.distributed as dist
from tools.lm.neural.network import WordNetwork
from tools.lm.neural.train import Training
rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
training = Training.__new__(Training)
training.world, training.network = 2, WordNetwork(10, 32, 32, 1)
for parameter in training.network.parameters():
    parameter.data.fill_(float(rank))
training.share_weights()
print({float(value) for parameter in training.network.parameters() for value in parameter.flatten()})
dist.destroy_process_group()
"""


def test_processes_that_train_side_by_side_end_up_with_the_same_weights(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SHARING]
    started = [
        subprocess.Popen([*command, rank, str(tmp_path / "meeting")], stdout=subprocess.PIPE, text=True)
        for rank in ("0", "1")
    ]
    assert [process.communicate(timeout=120)[0] for process in started] == ["{0.5}\n"] * 2
