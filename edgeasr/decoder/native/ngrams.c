/* The packed n-gram model; see tools/lm/packed.py, which writes it.
 *
 * A gram is 32 bits: its last word (18), whether it is a context (1), its log10 probability in thousandths (13). The
 * unigrams come first, by word, then the longer grams by level and context, sorted by word. Contexts are numbered from 1
 * in the order of their grams; `link` leads from each to the longest context that its last words make.
 */
#include "native.h"

#include <string.h>

#define WORD_MASK 0x3FFFFu
#define IS_CONTEXT (1u << 18)
#define MOST_ORDER 8

typedef struct {
    char magic[8];
    uint32_t words, order, contexts, grams;
    uint32_t level[MOST_ORDER]; /* first context of each level; unused ones as many as there are contexts */
} header;

static uint64_t rounded(uint64_t bytes) { return (bytes + 7) / 8 * 8; }

int ngrams_read(ngrams *into, const uint8_t *data, size_t size) {
    header h;
    if (size < sizeof h) return -1;
    memcpy(&h, data, sizeof h);
    if (memcmp(h.magic, "EDGELM1", 8) || !h.order || h.order > MOST_ORDER || !h.words || h.words > WORD_MASK - 2) return -1;
    if (!h.contexts || h.grams < h.words + 2 || h.contexts > h.grams + 1) return -1;
    uint64_t blocks = ((uint64_t)h.grams + 63) / 64, flags = sizeof h, rank = flags + 8 * blocks;
    uint64_t gram = rank + rounded(4 * blocks), child = gram + rounded(4 * (uint64_t)h.grams);
    uint64_t link = child + rounded(4 * ((uint64_t)h.contexts + 1)), backoff = link + rounded(4 * (uint64_t)h.contexts);
    if (backoff + rounded(2 * (uint64_t)h.contexts) != size) return -1;
    into->words = h.words;
    into->order = h.order;
    into->contexts = h.contexts;
    into->grams = h.grams;
    into->unigrams = h.words + 2; /* behind the words: the end of a sentence, then its start */
    into->level = ((const header *)data)->level;
    into->flags = (const uint64_t *)(data + flags);
    into->rank = (const uint32_t *)(data + rank);
    into->gram = (const uint32_t *)(data + gram);
    into->child = (const uint32_t *)(data + child);
    into->link = (const uint32_t *)(data + link);
    into->backoff = (const int16_t *)(data + backoff);
    return 0;
}

static float probability(uint32_t gram) { return -0.001f * (float)(gram >> 19); }

static float backoff(const ngrams *model, uint32_t context) { return 0.0005f * (float)model->backoff[context]; }

/* The context that a flagged gram is. */
static uint32_t context_of(const ngrams *model, uint32_t gram) {
    uint64_t below = model->flags[gram / 64] & ((1ull << gram % 64) - 1);
    uint32_t context = 1 + model->rank[gram / 64] + (uint32_t)__builtin_popcountll(below);
    return context < model->contexts ? context : 0;
}

/* The next shorter context; always of a smaller number, so that a broken file cannot make it go in circles. */
static uint32_t shorter(const ngrams *model, uint32_t context) {
    uint32_t link = model->link[context];
    return link < context ? link : 0;
}

/* Index of the gram of a context and a word, NONE where it is not listed. */
static uint32_t find(const ngrams *model, uint32_t context, uint32_t word) {
    uint32_t low = model->child[context], high = model->child[context + 1];
    if (high > model->grams) return NONE;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2, there = model->gram[middle] & WORD_MASK;
        if (there == word) return middle;
        if (there < word)
            low = middle + 1;
        else
            high = middle;
    }
    return NONE;
}

static uint32_t unigram_context(const ngrams *model, uint32_t word) {
    return model->gram[word] & IS_CONTEXT ? context_of(model, word) : 0;
}

float ngrams_score(const ngrams *model, uint32_t context, uint32_t word, uint32_t *next) {
    float score = 0.0f;
    uint32_t gram = NONE;
    for (; context; context = shorter(model, context)) {
        gram = find(model, context, word);
        if (gram != NONE) break;
        score += backoff(model, context);
    }
    score += probability(model->gram[gram == NONE ? word : gram]);
    while (context && !(gram != NONE && model->gram[gram] & IS_CONTEXT)) {
        context = shorter(model, context);
        gram = context ? find(model, context, word) : NONE;
    }
    *next = context ? context_of(model, gram) : unigram_context(model, word);
    return score;
}

float ngrams_user(const ngrams *model, uint32_t context, const user_word *word, uint32_t *next) {
    float score = word->log10;
    for (; context; context = shorter(model, context)) score += backoff(model, context);
    *next = word->stands_for < model->words ? unigram_context(model, word->stands_for) : 0;
    return score;
}

uint32_t ngrams_start(const ngrams *model) { return unigram_context(model, model->words + 1); }

uint32_t ngrams_cut(const ngrams *model, uint32_t context, int32_t order) {
    if (order < (int32_t)model->order)
        while (context && context >= model->level[order < 1 ? 0 : order - 1]) context = shorter(model, context);
    return context;
}
