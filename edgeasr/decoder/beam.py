"""Beam search over the lexicon with an n-gram language model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from edgeasr.decoder.confidence import ConfidenceModel, Evidence, acoustic_evidence
from edgeasr.decoder.emissions import Emissions
from edgeasr.decoder.graft import Graft
from edgeasr.decoder.hypothesis import Hypothesis, Word
from edgeasr.decoder.judge import Judge
from edgeasr.decoder.lexicon import flashlight
from edgeasr.decoder.path import Path, Track, settled_words
from edgeasr.decoder.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edgeasr.decoder.words import Words

_SETTLE_EVERY: Final = 24  # rows between looks at what all hypotheses agree on: about one second of speech
_FORCE_AFTER: Final = 500  # rows without agreement, 15 s of speech at least: then the best hypothesis decides
_FORCE_KEEP: Final = 200  # rows that stay open then

_WORD_COST: Final = -8.0  # natural-log score of a word where no language model has a say


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How wide to search and how to weigh; scores in natural logarithms, the language model's in log10.

    `beam` hypotheses and `tokens` units a step; hypotheses more than `threshold` below the best are dropped.
    `word_score` is added for each word, `sil_score` for each blank between words, `blank_penalty` taken off
    blank.
    `blank_skip`: probability of blank above which all but the first row of a run are passed over; 1 switches
    it off.
    `hold_last_unit`: let the last unit of a word last longer than one step.
    """

    beam: int = 50
    tokens: int = 10
    threshold: float = 25.0
    lm_weight: float = 2.0
    word_score: float = 0.0
    sil_score: float = 0.0
    blank_penalty: float = 0.0
    blank_skip: float = 0.99
    hold_last_unit: bool = True


def without_language_model(options: SearchOptions) -> SearchOptions:
    """Return options for a search that no language model keeps from stringing short words together."""
    return replace(options, lm_weight=0.0, word_score=options.word_score + _WORD_COST)


class BeamDecoder:
    """Streaming search with flashlight-text's LexiconDecoder (Pratap et al., 2019).

    `trie`: what `lexicon.trie()` built over `words` and `units`. `language_model`: from
    `load_language_model`; where it scores nothing, words cost more, lest short ones be strung together.
    `step_seconds`: time between rows. Memory stays bounded in an utterance of any length: once a second,
    words that no live hypothesis will change are settled and the search forgets what lies before.
    """

    def __init__(  # noqa: PLR0913
        self,
        words: Words,
        units: int,
        trie: Any,
        language_model: Any,
        *,
        step_seconds: float,
        options: SearchOptions | None = None,
        confidence: ConfidenceModel | None = None,
    ) -> None:
        self.words, self.language_model = words, language_model
        self._units, self._trie = units, trie
        self.options = options = self._suited(options or SearchOptions())
        self._wanted = options
        self._search = self._make_search(options)
        self._graft, self._vocabulary = Graft(trie), Vocabulary()
        self._wanted_vocabulary = self._vocabulary
        self._step_seconds = step_seconds
        self._judge = Judge(language_model, confidence or ConfidenceModel())
        self._emissions = Emissions(
            units,
            blank_skip=options.blank_skip,
            blank_penalty=options.blank_penalty,
            hold_last_unit=options.hold_last_unit,
        )
        self.evidence: tuple[Evidence, ...] = ()
        self.begin()

    def begin(self) -> None:
        """Start an utterance."""
        if self._wanted is not self.options:
            self.options = self._wanted
            self._search = self._make_search(self.options)
        self._search.decode_begin()
        if self._wanted_vocabulary is not self._vocabulary:
            self._vocabulary = self._wanted_vocabulary
            self._graft.remove()
            self._graft.put(self._vocabulary.twigs)
        self._emissions.begin()
        self._settled: list[Word] = []
        self._settled_evidence: list[Evidence] = []
        self._settled_labels: list[int] = []
        self._stable = 0
        self._since_settle = 0
        self._lost_score = 0.0
        self._known: dict[Track, tuple[Word, Evidence]] = {}

    def retune(self, options: SearchOptions) -> None:
        """Search so from the next utterance on; what concerns blanks stays as it is."""
        self._wanted = self._suited(options)

    def adopt(self, vocabulary: Vocabulary) -> None:
        """Know these words of the user's, in place of those before, from the next utterance on."""
        self._wanted_vocabulary = vocabulary

    def _suited(self, options: SearchOptions) -> SearchOptions:
        is_without = isinstance(self.language_model, flashlight().ZeroLM)
        return without_language_model(options) if is_without else options

    def _make_search(self, options: SearchOptions) -> Any:
        library = flashlight()
        settings = library.LexiconDecoderOptions(
            options.beam,
            min(options.tokens, self._units),
            options.threshold,
            options.lm_weight,
            options.word_score,
            -math.inf,
            options.sil_score,
            False,
            library.CriterionType.CTC,
        )
        return library.LexiconDecoder(settings, self._trie, self.language_model, 0, 0, -1, [], False)

    def step(self, log_probs: NDArray[np.float32]) -> None:
        """Take natural log-probabilities, float32 [steps, units]."""
        begin = 0
        while begin < len(log_probs):
            end = begin + _SETTLE_EVERY - self._since_settle
            rows = self._emissions.add(log_probs[begin:end])
            begin = end
            if rows:
                self._search.decode_step(self._emissions.pointer, rows, self._units)
                self._since_settle += rows
            if self._since_settle == _SETTLE_EVERY:
                self._settle()

    def partial(self) -> Hypothesis:
        """Best complete words so far."""
        best = self._path(self._search.get_best_hypothesis(0))
        tracks = best.tracks(self._emissions.fed_steps)
        words, _ = self._weighed(tracks, [0.0] * len(tracks), is_whole=False)
        return Hypothesis(words, best.score + self._lost_score, min(self._stable, len(words)))

    def finish(self) -> Hypothesis:
        """End the utterance; `evidence` then holds what each word's confidence rests on."""
        if self._emissions.fed_steps:
            self._search.decode_end()
        paths = self._paths()
        if not paths:
            self.evidence = ()
            return Hypothesis()
        best = paths[0]
        tracks = best.tracks(self._emissions.fed_steps)
        words, self.evidence = self._weighed(tracks, self._judge.agreements(tracks, paths), is_whole=True)
        hypothesis = Hypothesis(words, best.score + self._lost_score, len(words))
        self.begin()
        return hypothesis

    def _weighed(
        self, tracks: Sequence[Track], agreements: Sequence[float], *, is_whole: bool
    ) -> tuple[tuple[Word, ...], tuple[Evidence, ...]]:
        """Words from the utterance's first on, with confidences, and what these rest on."""
        live = [self._word(track) for track in tracks]
        words = [*self._settled, *(word for word, _ in live)]
        labels = [*self._settled_labels, *(track.word for track in tracks)]
        heard = [replace(seen, agreement=a) for (_, seen), a in zip(live, agreements, strict=True)]
        chances, evidence = self._judge.weigh(labels, self._settled_evidence + heard, is_whole=is_whole)
        return tuple(replace(w, confidence=c) for w, c in zip(words, chances, strict=True)), evidence

    @property
    def trailing_silence(self) -> float:
        """Seconds since the last step on which something other than blank was likely."""
        return self._emissions.trailing_blank * self._step_seconds

    @property
    def elapsed(self) -> float:
        """Seconds decoded since the utterance began."""
        return self._emissions.steps * self._step_seconds

    def _path(self, result: Any) -> Path:
        return Path(result, self._vocabulary.same)

    def _paths(self) -> list[Path]:
        """All live hypotheses, best first."""
        paths = [self._path(result) for result in self._search.get_all_final_hypothesis()]
        paths.sort(key=lambda path: -path.score)
        return paths

    def _settle(self) -> None:
        """Fix the words that every live hypothesis shares and let the search forget the rows before."""
        self._since_settle = 0
        paths = self._paths()
        if not paths:
            return
        best = paths[0]
        shared, closed = settled_words(paths)
        self._stable = max(self._stable, len(self._settled) + shared)
        if closed:
            self._prune(best, best.ends[closed - 1] + 1)
        elif len(best) > _FORCE_AFTER:
            known = self._path(self._search.get_best_hypothesis(_FORCE_KEEP))
            if len(known) > 1:
                self._prune(best, len(known) - 1)

    def _prune(self, best: Path, index: int) -> None:
        """Cut the search at `index` of the best path, just behind a word: only there does flashlight cut.

        Where it finds no such place it cuts earlier or not at all, so what it has left decides what is settled.
        """
        self._search.prune(len(best) - 1 - index)
        left = self._search.get_all_final_hypothesis()
        cut = len(best) - len(left[0].words) if left else index
        if cut <= 0:
            return
        steps = self._emissions.fed_steps
        for track in best.tracks(steps):
            if track.index <= cut:
                word, evidence = self._word(track)
                self._settled.append(word)
                self._settled_evidence.append(evidence)
                self._settled_labels.append(track.word)
        self._stable = max(self._stable, len(self._settled))
        self._lost_score += best.score
        del steps[:cut]
        self._known = {}

    def _word(self, track: Track) -> tuple[Word, Evidence]:
        """Make the word of a track and weigh its sound; most of a partial's stay as they were, so they are kept."""
        known = self._known.get(track)
        if known is not None:
            return known
        units = self._emissions.units_of(track.begin, min(track.limit, self._emissions.steps), track.units)
        end = track.begin + len(units)
        evidence = acoustic_evidence(self._emissions.window(track.begin, end), units, self._step_seconds)
        word = Word(
            text=self._vocabulary.names.get(track.word) or self.words[track.word],
            start=round(track.begin * self._step_seconds, 4),
            end=round(end * self._step_seconds, 4),
            confidence=0.0,
        )
        if end < self._emissions.steps:
            self._known[track] = (word, evidence)
        return word, evidence
