/* A search's beginning and end, and what it is asked between steps. */
#include "search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHORTEST_TRACE 4096
#define MOST_BEAM (1 << 20)
#define MOST_TOKENS 64

EDGEASR_API void edgeasr_search_free(search *s) {
    if (!s) return;
    free(s->grafted_memory);
    free(s->user);
    free(s->banned);
    free(s->cache);
    free(s->hyps);
    free(s->candidates);
    free(s->scores);
    free(s->table);
    free(s->stamp);
    trace_free(&s->trace);
    free(s);
}

/* Make a search over a mapped lexicon and, unless NULL, n-gram model; NULL with a reason in `why`: 1 the lexicon is
 * broken, 2 the model is, 3 they do not belong together, 4 memory. */
EDGEASR_API search *edgeasr_search_new(const uint8_t *words, size_t words_size, const uint8_t *model, size_t model_size,
                                       int32_t *why) {
    search *s = calloc(1, sizeof *s);
    *why = 4;
    if (!s) return NULL;
    s->cache = calloc(1u << CACHE_BITS, sizeof *s->cache);
    if (!s->cache || trace_init(&s->trace, SHORTEST_TRACE)) goto failed;
    *why = 1;
    if (lexicon_read(&s->lexicon, words, words_size)) goto failed;
    if (model) {
        *why = 2;
        if (ngrams_read(&s->ngrams, model, model_size)) goto failed;
        *why = 3;
        if (s->ngrams.words != s->lexicon.words) goto failed;
        s->has_ngrams = 1;
    }
    *why = 0;
    return s;
failed:
    edgeasr_search_free(s);
    return NULL;
}

/* Search so from the next beginning on; -1 without memory, and then as before. */
EDGEASR_API int edgeasr_search_set(search *s, const options *given) {
    options own = *given, *wanted = &own;
    own.beam = own.beam < 1 ? 1 : own.beam > MOST_BEAM ? MOST_BEAM : own.beam;
    own.tokens = own.tokens < 0 ? 0 : own.tokens > MOST_TOKENS ? MOST_TOKENS : own.tokens;
    int32_t room = wanted->beam * (2 + 3 * wanted->tokens) + 1024;
    uint32_t slots = 1024;
    while (slots < 2u * (uint32_t)room) slots *= 2;
    hypothesis *hyps = malloc((size_t)wanted->beam * sizeof *hyps);
    candidate *candidates = malloc((size_t)room * sizeof *candidates);
    float *scores = malloc((size_t)room * sizeof *scores);
    uint32_t *table = malloc(slots * sizeof *table), *stamp = calloc(slots, sizeof *stamp);
    if (!hyps || !candidates || !scores || !table || !stamp) {
        free(hyps);
        free(candidates);
        free(scores);
        free(table);
        free(stamp);
        return -1;
    }
    free(s->hyps);
    free(s->candidates);
    free(s->scores);
    free(s->table);
    free(s->stamp);
    s->hyps = hyps;
    s->candidates = candidates;
    s->scores = scores;
    s->table = table;
    s->stamp = stamp;
    s->room = room;
    s->slots = slots;
    s->now = 0;
    s->count = 0;
    s->options = *wanted;
    for (uint32_t i = 0; i < 1u << CACHE_BITS; i++) s->cache[i].context = NONE;
    return 0;
}

/* Know these words of the user's from the next beginning on, and those alone; -1 without memory, -2 for a broken tree.
 *
 * `tree`: packed as the lexicon is, its labels from the lexicon's count of words on; `banned`: labels not to be found in
 * the lexicon's own tree. All is copied. */
EDGEASR_API int edgeasr_search_graft(search *s, const uint8_t *tree, size_t size, const user_word *user, int32_t users,
                                     const uint32_t *banned, int32_t bans) {
    uint32_t *memory = NULL;
    user_word *own = NULL;
    uint64_t *set = NULL;
    lexicon grafted = {0};
    if (size) {
        if (!(memory = malloc(size)) || !(own = malloc((size_t)(users + 1) * sizeof *own))) goto failed;
        memcpy(memory, tree, size);
        memcpy(own, user, (size_t)users * sizeof *own);
        if (lexicon_read(&grafted, (const uint8_t *)memory, size) || grafted.units != s->lexicon.units) {
            free(memory);
            free(own);
            return -2;
        }
    }
    if (bans) {
        if (!(set = calloc(s->lexicon.words / 64 + 1, sizeof *set))) goto failed;
        for (int32_t i = 0; i < bans; i++)
            if (banned[i] < s->lexicon.words) set[banned[i] / 64] |= 1ull << banned[i] % 64;
    }
    free(s->grafted_memory);
    free(s->user);
    free(s->banned);
    s->grafted_memory = memory;
    s->grafted = grafted;
    s->user = own;
    s->users = size ? users : 0;
    s->banned = set;
    s->count = 0;
    return 0;
failed:
    free(memory);
    free(own);
    return -1;
}

/* Begin an utterance: with a new sentence or, unless `context` is 0, also amid one, in that context of
 * `edgeasr_search_language`; `fresh` and `carried`: log10 of the chance of each. */
EDGEASR_API void edgeasr_search_begin(search *s, uint32_t context, float fresh, float carried) {
    s->trace.used = s->trace.settled = 0;
    s->is_certain = 0;
    int has_say = s->has_ngrams && s->options.lm_weight != 0.0f;
    uint32_t start = has_say ? ngrams_cut(&s->ngrams, ngrams_start(&s->ngrams), s->options.lm_order) : 0;
    s->hyps[0] = (hypothesis){0.0f, 0, start, 0, -1, 0};
    s->count = 1;
    if (!context || !has_say || context - 1 >= s->ngrams.contexts) return;
    uint32_t amid = ngrams_cut(&s->ngrams, context - 1, s->options.lm_order);
    if (amid == start || s->options.beam < 2) return;
    int first = carried > fresh;
    s->hyps[first] = (hypothesis){s->options.lm_weight * fresh, 0, start, 0, -1, 0};
    s->hyps[!first] = (hypothesis){s->options.lm_weight * carried, 0, amid, 0, -1, 0};
    s->count = 2;
}

/* Of equals the one found first, lest C libraries differ. */
static int better(const void *one, const void *other) {
    const hypothesis *a = one, *b = other;
    if (a->score != b->score) return (a->score < b->score) - (a->score > b->score);
    return (a->trace > b->trace) - (a->trace < b->trace);
}

void search_sort(search *s) { qsort(s->hyps, (size_t)s->count, sizeof *s->hyps, better); }

/* The utterance is over: where any hypothesis is at a word's end, only those count, with the sentence's end. */
EDGEASR_API void edgeasr_search_end(search *s) {
    int32_t kept = 0;
    for (int32_t i = 0; i < s->count; i++) {
        hypothesis at = s->hyps[i];
        uint32_t next;
        if (at.node) continue;
        if (s->has_ngrams && s->options.lm_weight != 0.0f)
            at.score += s->options.lm_weight * ngrams_score(&s->ngrams, at.context, s->ngrams.words, &next);
        s->hyps[kept++] = at;
    }
    if (kept) s->count = kept;
    search_sort(s);
}

/* Log10 probability of a word, NONE for the sentence's end, in a context, 0 for the sentence's start; the next context
 * plus one goes to `next`. */
EDGEASR_API float edgeasr_search_language(search *s, uint32_t context, uint32_t word, uint32_t *next) {
    *next = 1;
    if (!s->has_ngrams) return 0.0f;
    uint32_t before = context ? context - 1 : ngrams_start(&s->ngrams), after = 0;
    float score = 0.0f;
    if (before < s->ngrams.contexts) {
        if (word == NONE)
            score = ngrams_score(&s->ngrams, before, s->ngrams.words, &after);
        else if (word < s->lexicon.words)
            score = ngrams_score(&s->ngrams, before, word, &after);
        else if (word - s->lexicon.words < (uint32_t)s->users)
            score = ngrams_user(&s->ngrams, before, &s->user[word - s->lexicon.words], &after);
    }
    *next = after + 1;
    return score;
}

int32_t search_base(const search *s, int32_t label) {
    uint32_t above = (uint32_t)label - s->lexicon.words;
    if ((uint32_t)label < s->lexicon.words || above >= (uint32_t)s->users) return label;
    return s->user[above].stands_for < s->lexicon.words ? (int32_t)s->user[above].stands_for : label;
}

int32_t search_words(const search *s, int32_t trace) { return trace < 0 ? s->trace.settled : s->trace.marks[trace].words; }
