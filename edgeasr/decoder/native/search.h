/* The search's state, shared by the step and what is asked of it between steps. */
#ifndef EDGEASR_SEARCH_H
#define EDGEASR_SEARCH_H

#include "native.h"

#define CACHE_BITS 13

typedef struct {
    uint32_t context, word, next;
    float score;
} answer;

typedef struct {
    lexicon lexicon; /* the bundle's */
    lexicon grafted; /* the user's words: a tree beside it, its nodes numbered behind the other's */
    uint32_t *grafted_memory;
    user_word *user;
    uint64_t *banned; /* labels that a rarer one of the user's stands in for; a bit each, or NULL */
    int32_t users;
    int has_ngrams;
    ngrams ngrams;
    options options;
    answer *cache;

    hypothesis *hyps;
    candidate *candidates;
    float *scores;
    int32_t count, made, room; /* hypotheses, candidates, candidates that there is room for */
    uint32_t *table, *stamp, now, slots;
    trace trace;
    int is_certain; /* the row before was all but certainly blank */
} search;

float search_word(search *s, uint32_t context, uint32_t label, uint32_t *next);
int32_t search_base(const search *s, int32_t label);
int32_t search_words(const search *s, int32_t trace);
void search_sort(search *s);

#endif
