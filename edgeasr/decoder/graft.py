"""Words put into a prefix tree that is in use, and taken out again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgeasr.decoder.lexicon import WORDS_PER_NODE

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Twig:
    """A pronunciation to insert: its units, the label at its end, and the log10 probability that steers to it.

    `replaces`: the label that it takes the place of, if that stands there; -1 for none.
    """

    units: tuple[int, ...]
    label: int
    score: float
    replaces: int = -1


class Graft:
    """Changes flashlight's tree in place, and remembers how it was.

    Some microseconds a unit: building the tree again would take a second and as much memory once more. No
    search may stand inside the tree meanwhile, since it holds plain pointers to nodes: only between two
    utterances.
    """

    def __init__(self, tree: Any) -> None:
        self._tree = tree
        self._before: list[tuple[Any, str, Any]] = []

    def put(self, twigs: Iterable[Twig]) -> None:
        """Insert pronunciations."""
        for twig in twigs:
            self._put(twig)

    def remove(self) -> None:
        """Take out all that was put in; the tree is then as it was."""
        for node, name, value in reversed(self._before):
            setattr(node, name, value)
        self._before.clear()

    def _put(self, twig: Twig) -> None:
        tree, units = self._tree, list(twig.units)
        nodes = [tree.search(units[:depth]) for depth in range(len(units) + 1)]
        there = [node for node in nodes if node is not None]
        if len(there) == len(nodes):
            self._label(nodes[-1], twig)
        else:
            self._keep(there[-1], "children")
            tree.insert(units, twig.label, twig.score)
        for depth in range(len(nodes)):
            node = nodes[depth] if depth < len(there) else tree.search(units[:depth])
            if depth >= len(there):
                node.max_score = twig.score
            elif node.max_score < twig.score:
                self._keep(node, "max_score")
                node.max_score = twig.score

    def _label(self, node: Any, twig: Twig) -> None:
        """Put the label at a node that is there; where it is full, the least probable label makes room."""
        self._keep(node, "labels")
        self._keep(node, "scores")
        pairs = list(zip(node.labels, node.scores, strict=True))
        if twig.replaces >= 0:
            pairs = [pair for pair in pairs if pair[0] != twig.replaces]
        if len(pairs) >= WORDS_PER_NODE:
            pairs.remove(min(pairs, key=lambda pair: pair[1]))
        pairs.append((twig.label, twig.score))
        node.labels = [label for label, _ in pairs]
        node.scores = [score for _, score in pairs]

    def _keep(self, node: Any, name: str) -> None:
        self._before.append((node, name, getattr(node, name)))
