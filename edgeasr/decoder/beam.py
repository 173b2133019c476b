"""Beam search over the lexicon with an n-gram language model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edgeasr.decoder.confidence import ConfidenceModel, Evidence, acoustic_evidence
from edgeasr.decoder.emissions import Emissions
from edgeasr.decoder.foregoing import Foregoing
from edgeasr.decoder.hypothesis import Hypothesis, Word
from edgeasr.decoder.judge import Judge
from edgeasr.decoder.path import Track, tracks
from edgeasr.decoder.search import EMPTY, START, Search, SearchOptions
from edgeasr.decoder.second import SecondOpinion
from edgeasr.decoder.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edgeasr.decoder.lexicon import Lexicon
    from edgeasr.decoder.rescorer import Rescorer

_SETTLE_EVERY: Final = 24  # steps between looks at what all hypotheses agree on: about 0.7 s of speech
_FORCE_AFTER: Final = 500  # steps without agreement, 15 s of speech: then the best hypothesis decides
_FORCE_KEEP: Final = 200  # steps that stay open then

_WORD_COST: Final = -8.0  # natural-log score of a word where no language model has a say


def without_language_model(options: SearchOptions) -> SearchOptions:
    """Return options for a search that no language model keeps from stringing short words together."""
    return replace(options, lm_weight=0.0, word_score=options.word_score + _WORD_COST)


class BeamDecoder:
    """Streaming search; words out of log-probabilities, with times and confidences.

    `language_model`: mapped by `load_language_model`; where there is None, words cost more, lest short ones be
    strung together. `rescorer`: weighs whole sentences at the end, as many as the options name. `step_seconds`: time
    between rows. Memory stays bounded in an utterance of any length: words that no live hypothesis will change are
    settled and the search forgets what lies before.
    """

    def __init__(  # noqa: PLR0913
        self,
        lexicon: Lexicon,
        language_model: NDArray[np.uint8] | None,
        *,
        step_seconds: float,
        options: SearchOptions | None = None,
        confidence: ConfidenceModel | None = None,
        rescorer: Rescorer | None = None,
    ) -> None:
        self.words, self.knows_language = lexicon.words, language_model is not None
        self.search = Search(lexicon, language_model)
        self._second = (
            SecondOpinion(self.search, rescorer) if rescorer is not None and self.knows_language else None
        )
        self.options = self._wanted = self._suited(options or SearchOptions())
        self.search.set(self.options)
        self._vocabulary = self._wanted_vocabulary = Vocabulary()
        self._step_seconds = step_seconds
        self._judge = Judge(self.search, confidence or ConfidenceModel(), knows_language=self.knows_language)
        self._emissions = Emissions(self.search.units)
        self.evidence: tuple[Evidence, ...] = ()
        self._before: Foregoing | None = None
        self._last: list[int] | None = None
        self.begin()

    def begin(self, *, goes_on: bool = False) -> None:
        """Start an utterance, which may go on with the sentence of the last one or not."""
        last, self._before = self._last, None
        self._last = None
        if self._wanted is not self.options:
            self.options = self._wanted
            self.search.set(self.options)
        if self._wanted_vocabulary is not self._vocabulary:
            self._vocabulary = new = self._wanted_vocabulary
            self.search.graft(new.tree(self.search.units), new.own, new.banned)
        if goes_on and last:
            self._before = Foregoing.of(self.search, last, self.options.goes_on)
        if self._before is not None:
            self.search.begin(self._before.context, self._before.fresh, self._before.carried)
        else:
            self.search.begin()
        self._emissions.begin()
        self._settled: list[Word] = []
        self._settled_evidence: list[Evidence] = []
        self._settled_labels: list[int] = []
        self._settled_step = self._settled_end = 0
        self._stable = 0
        self._since_settle = 0
        self._known: dict[Track, tuple[Word, Evidence]] = {}

    def retune(self, options: SearchOptions) -> None:
        """Search so from the next utterance on."""
        self._wanted = self._suited(options)

    def adopt(self, vocabulary: Vocabulary) -> None:
        """Know these words of the user's, in place of those before, from the next utterance on."""
        self._wanted_vocabulary = vocabulary

    def unigram(self, label: int) -> float:
        """Log10 probability of a word of the lexicon by itself; from any thread."""
        return self.search.language(EMPTY, label)[0]

    def _suited(self, options: SearchOptions) -> SearchOptions:
        if self._second is None:
            options = replace(options, alternatives=0)
        return options if self.knows_language else without_language_model(options)

    def step(self, log_probs: NDArray[np.float32]) -> None:
        """Take natural log-probabilities, float32 [steps, units]."""
        begin = 0
        while begin < len(log_probs):
            rows = self._emissions.add(log_probs[begin : begin + _SETTLE_EVERY - self._since_settle])
            self.search.step(rows, self._emissions.steps - len(rows))
            begin += len(rows)
            self._since_settle += len(rows)
            if self._since_settle == _SETTLE_EVERY:
                self._settle()

    def partial(self) -> Hypothesis:
        """Best complete words so far."""
        heard, steps, score = self.search.best()
        best = tracks(heard, steps)
        words, _ = self._weighed(best, [0.0] * len(best), is_whole=False)
        return Hypothesis(words, score, min(self._stable, len(words)))

    def finish(self) -> Hypothesis:
        """End the utterance; `evidence` then holds what each word's confidence rests on."""
        self.search.end()
        if self._second is not None and self.options.alternatives:
            self._second.weigh(self._settled_labels, self.options, self._before)
        heard, steps, score = self.search.best()
        best = tracks(heard, steps)
        words, self.evidence = self._weighed(best, self._judge.agreements(best), is_whole=True)
        said = [
            self.search.base(label) for label in (*self._settled_labels, *(track.label for track in best))
        ]
        before = self._before
        if before is not None and (not said or before.opens(self.search, said) != START):
            said = [*before.labels, *said]
        self.begin()
        self._last = said
        return Hypothesis(words, score, len(words))

    def _weighed(
        self, best: Sequence[Track], agreements: Sequence[float], *, is_whole: bool
    ) -> tuple[tuple[Word, ...], tuple[Evidence, ...]]:
        """Words from the utterance's first on, with confidences, and what these rest on."""
        live = [self._word(track) for track in best]
        words = [*self._settled, *(word for word, _ in live)]
        labels = [*self._settled_labels, *(track.label for track in best)]
        heard = [replace(seen, agreement=a) for (_, seen), a in zip(live, agreements, strict=True)]
        context = self._before.opens(self.search, labels) if self._before else START
        chances, evidence = self._judge.weigh(
            labels, self._settled_evidence + heard, context=context, is_whole=is_whole
        )
        return tuple(replace(w, confidence=c) for w, c in zip(words, chances, strict=True)), evidence

    @property
    def trailing_silence(self) -> float:
        """Seconds since the last step on which something other than blank was likely."""
        return self._emissions.trailing_blank * self._step_seconds

    @property
    def elapsed(self) -> float:
        """Seconds decoded since the utterance began."""
        return self._emissions.steps * self._step_seconds

    def _settle(self) -> None:
        """Fix the words that every live hypothesis shares and let the search forget the steps before."""
        self._since_settle = 0
        heard, steps, _ = self.search.best()
        best = tracks(heard, steps)
        done = len(self._settled)
        shared = self.search.shared()
        self._stable = max(self._stable, shared)
        settled = sum(track.is_followed for track in best[: shared - done])
        if not settled and self._emissions.steps - self._settled_step > _FORCE_AFTER:
            border = self._emissions.steps - _FORCE_KEEP
            settled = sum(track.limit < border for track in best)
            if not settled:
                self._settled_step = border  # nothing was said for so long, or nothing that makes a word
        if not settled:
            return
        self.search.settle(done + settled)
        for track in best[:settled]:
            word, evidence = self._word(track)
            self._settled.append(word)
            self._settled_evidence.append(evidence)
            self._settled_labels.append(track.label)
            self._settled_end = max(self._settled_end, round(word.end / self._step_seconds))
        self._settled_step = best[settled - 1].limit
        self._stable = max(self._stable, len(self._settled))
        self._known = {}

    def _word(self, track: Track) -> tuple[Word, Evidence]:
        """Make the word of a track and weigh its sound; most of a partial's stay as they were, so they are kept."""
        known = self._known.get(track)
        if known is not None:
            return known
        limit = min(track.limit, self._emissions.steps)
        begin = max(track.begin, self._emissions.first)  # a word can be held for longer than rows are kept
        units = self._emissions.units_of(begin, limit, track.units)
        evidence = acoustic_evidence(
            self._emissions.window(begin, begin + len(units)), units, self._step_seconds
        )
        end = min(begin + len(units), max(limit, track.begin))
        word = Word(
            text=self._vocabulary.names.get(track.label) or self.words[track.label],
            start=round(max(track.begin, self._settled_end) * self._step_seconds, 4),
            end=round(max(end, self._settled_end) * self._step_seconds, 4),
            confidence=0.0,
        )
        if end < self._emissions.steps:
            self._known[track] = (word, evidence)
        return word, evidence
