/* The search's inner loop: a packed lexicon and n-gram model mapped from files, and beam search over both.
 *
 * Nothing here trusts the files: each index read from them is checked before it is used, since a broken file must end
 * in a sentence and never in a crash. Nothing but beginning, growing and ending allocates.
 */
#ifndef EDGEASR_NATIVE_H
#define EDGEASR_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#define EDGEASR_API __attribute__((visibility("default")))
#define NONE UINT32_MAX
#define MOST_UNITS 256 /* with blank; a unit is a byte of a packed lexicon */

/* Words by number, as a prefix tree of units; node 0 is the root, a node's children and labels lie side by side. */
typedef struct {
    uint32_t units, words, nodes, labels;
    const uint32_t *child, *label_at, *label;
    const uint8_t *unit, *ahead;
} lexicon;

/* Back-off n-grams as an automaton: a context is an n-gram with followers, 0 the empty one. */
typedef struct {
    uint32_t words, order, contexts, grams, unigrams;
    const uint32_t *gram, *child, *link, *rank, *level;
    const uint64_t *flags;
    const int16_t *backoff;
} ngrams;

/* A word of the user's: a listed word that it stands for, or NONE, and its own log10 probability. */
typedef struct {
    uint32_t stands_for;
    float log10;
} user_word;

typedef struct {
    int32_t prev, what, step, words; /* what: a unit above 0, or a word's label as -1 - label */
} mark;

/* What was heard, as a tree of marks that grows at its leaves. */
typedef struct {
    mark *marks;
    int32_t *moved;
    int32_t used, size, settled; /* settled: words that the marks do not hold any more */
} trace;

typedef struct {
    float score; /* with the look-ahead's share */
    uint32_t node, context, last; /* last: unit of the row before, 0 for blank */
    int32_t trace;
    uint32_t said; /* hash of the last words, as many as are to keep hypotheses apart */
} hypothesis;

typedef struct {
    hypothesis at;
    int32_t unit, label; /* to be marked should it survive: 0 and -1 for nothing */
} candidate;

typedef struct {
    int32_t beam, tokens;
    float threshold, lm_weight, word_score, blank_penalty, blank_skip; /* blank_skip: natural logarithm */
    int32_t lm_order, apart; /* apart: last words in which hypotheses may differ without becoming one; 0: the model's */
} options;

int lexicon_read(lexicon *into, const uint8_t *data, size_t size);
int ngrams_read(ngrams *into, const uint8_t *data, size_t size);
float ngrams_score(const ngrams *model, uint32_t context, uint32_t word, uint32_t *next);
float ngrams_user(const ngrams *model, uint32_t context, const user_word *word, uint32_t *next);
uint32_t ngrams_start(const ngrams *model);
uint32_t ngrams_cut(const ngrams *model, uint32_t context, int32_t order);

int trace_init(trace *t, int32_t size);
void trace_free(trace *t);
int trace_room(trace *t, hypothesis *hyps, int32_t count, int32_t wanted);
int32_t trace_add(trace *t, int32_t prev, int32_t what, int32_t step);

#endif
