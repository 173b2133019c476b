/* What the hypotheses have in common, and the best one's words. */
#include "search.h"

#include <math.h>
#include <stdlib.h>

#define SLACK 3 /* steps by which two paths may differ on where the same word ends */

/* Copy the best hypothesis's open marks, oldest first: what (see native.h) and step of each; returns how many there
 * are, of which at most `room` are copied. `score`: the path's. */
EDGEASR_API int32_t edgeasr_search_best(const search *s, int32_t *what, int32_t *step, int32_t room, float *score) {
    *score = s->count ? s->hyps[0].score : 0.0f;
    int32_t head = s->count ? s->hyps[0].trace : -1, length = 0;
    for (int32_t at = head; at >= 0; at = s->trace.marks[at].prev) length++;
    int32_t place = length;
    for (int32_t at = head; at >= 0; at = s->trace.marks[at].prev)
        if (--place < room) {
            what[place] = s->trace.marks[at].what;
            step[place] = s->trace.marks[at].step;
        }
    return length;
}

/* The mark at which a path's word of this number, counted from 1, ends; -1 where it is settled or not reached. */
static int32_t word_end(const search *s, int32_t at, int32_t number) {
    while (at >= 0 && s->trace.marks[at].words > number) at = s->trace.marks[at].prev;
    while (at >= 0 && s->trace.marks[at].what >= 0) at = s->trace.marks[at].prev;
    return at >= 0 && s->trace.marks[at].words == number ? at : -1;
}

/* How many leading words of the utterance one path shares with the best, of the `most` that are asked for. */
static int32_t shared_words(const search *s, int32_t best, int32_t path, int32_t most) {
    if (search_words(s, path) < most) most = search_words(s, path);
    int32_t shared = most, mine = word_end(s, best, most), theirs = word_end(s, path, most);
    for (int32_t number = most; number > s->trace.settled; number--) {
        if (mine < 0 || theirs < 0) break;
        if (mine == theirs) break; /* the same mark: all before it is the same too */
        const mark *my = &s->trace.marks[mine], *their = &s->trace.marks[theirs];
        if (abs(my->step - their->step) > SLACK || search_base(s, -1 - my->what) != search_base(s, -1 - their->what))
            shared = number - 1;
        mine = word_end(s, s->trace.marks[mine].prev, number - 1);
        theirs = word_end(s, s->trace.marks[theirs].prev, number - 1);
    }
    return shared;
}

/* How many words, counted from the utterance's first, all hypotheses that are at most `behind` the best have in common. */
EDGEASR_API int32_t edgeasr_search_shared(const search *s, float behind) {
    if (!s->count) return s->trace.settled;
    int32_t best = s->hyps[0].trace, shared = search_words(s, best);
    for (int32_t i = 1; i < s->count && shared > s->trace.settled; i++)
        if (s->hyps[i].score >= s->hyps[0].score - behind) shared = shared_words(s, best, s->hyps[i].trace, shared);
    return shared;
}

/* Settle the best hypothesis's words up to this number: who has others is dropped, and what was heard before is
 * forgotten. */
EDGEASR_API void edgeasr_search_settle(search *s, int32_t words) {
    if (!s->count || words <= s->trace.settled) return;
    int32_t best = s->hyps[0].trace, kept = 0;
    if (words > search_words(s, best)) return;
    for (int32_t i = 0; i < s->count; i++)
        if (shared_words(s, best, s->hyps[i].trace, words) == words) s->hyps[kept++] = s->hyps[i];
    s->count = kept;
    for (int32_t i = 0; i < kept; i++)
        if (word_end(s, s->hyps[i].trace, words) == s->hyps[i].trace) s->hyps[i].trace = -1;
    for (int32_t i = 0; i < s->trace.used; i++) {
        mark *m = &s->trace.marks[i];
        if (m->prev < 0) continue;
        const mark *before = &s->trace.marks[m->prev];
        if (m->words >= words && before->words == words && before->what < 0 && m->what >= 0) m->prev = -1;
    }
    s->trace.settled = words;
}

/* Copy the open words' labels of a hypothesis, oldest first; returns how many there are, of which at most `room` are
 * copied, or -1 where there are not so many hypotheses. `score`: the path's. */
EDGEASR_API int32_t edgeasr_search_words(const search *s, int32_t number, int32_t *labels, int32_t room, float *score) {
    if (number < 0 || number >= s->count) return -1;
    int32_t head = s->hyps[number].trace, count = 0;
    *score = s->hyps[number].score;
    for (int32_t at = head; at >= 0; at = s->trace.marks[at].prev) count += s->trace.marks[at].what < 0;
    int32_t place = count;
    for (int32_t at = head; at >= 0; at = s->trace.marks[at].prev)
        if (s->trace.marks[at].what < 0 && --place < room) labels[place] = -1 - s->trace.marks[at].what;
    return count;
}

/* Keep the hypotheses of these numbers alone, with these scores; the best comes first. */
EDGEASR_API void edgeasr_search_keep(search *s, int32_t count, const int32_t *numbers, const float *scores) {
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++) {
        if (numbers[i] < kept || numbers[i] >= s->count) continue; /* ascending */
        s->hyps[kept] = s->hyps[numbers[i]];
        s->hyps[kept++].score = scores[i];
    }
    s->count = kept;
    search_sort(s);
}

/* For each of the best path's words, given by label and the step of its last unit: the share of all hypotheses that
 * have it there, weighted by the softmax of `temper` times their scores. */
EDGEASR_API void edgeasr_search_agreement(const search *s, int32_t words, const int32_t *labels, const int32_t *ends,
                                          double temper, double *shares) {
    double total = 0.0;
    for (int32_t w = 0; w < words; w++) shares[w] = 0.0;
    for (int32_t i = 0; i < s->count; i++) {
        double weight = exp(temper * ((double)s->hyps[i].score - (double)s->hyps[0].score));
        total += weight;
        int32_t word = words - 1;
        for (int32_t at = s->hyps[i].trace; at >= 0 && word >= 0; at = s->trace.marks[at].prev) {
            const mark *m = &s->trace.marks[at];
            if (m->what >= 0) continue;
            while (word >= 0 && ends[word] > m->step + SLACK) word--;
            for (int32_t w = word; w >= 0 && ends[w] >= m->step - SLACK; w--)
                if (search_base(s, labels[w]) == search_base(s, -1 - m->what)) {
                    shares[w] += weight;
                    break;
                }
        }
    }
    for (int32_t w = 0; w < words && total > 0.0; w++) shares[w] /= total;
}
