/* One row of log-probabilities: each hypothesis goes on in every way that CTC's topology and the lexicon allow.
 *
 * Token passing (Young, Russell and Thornton 1989, "Token passing: a simple conceptual model for connected speech
 * recognition systems") over CTC (Graves et al. 2006): paths that meet in the same node, context and last unit are one
 * from there on, and the better survives.
 */
#include "search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t hashed(uint32_t node, uint32_t context, uint32_t last) {
    uint32_t h = node * 0x9E3779B1u ^ context * 0x85EBCA77u ^ last * 0xC2B2AE3Du;
    h ^= h >> 15;
    h *= 0x2C1B3C6Du;
    return h ^ h >> 13;
}

float search_word(search *s, uint32_t context, uint32_t label, uint32_t *next) {
    *next = 0;
    if (!s->has_ngrams || s->options.lm_weight == 0.0f) return 0.0f;
    if (label >= s->lexicon.words) {
        float score = ngrams_user(&s->ngrams, context, &s->user[label - s->lexicon.words], next);
        *next = ngrams_cut(&s->ngrams, *next, s->options.lm_order);
        return score;
    }
    answer *known = &s->cache[hashed(context, label, 0) >> (32 - CACHE_BITS)];
    if (known->context != context || known->word != label) {
        known->context = context;
        known->word = label;
        known->score = ngrams_score(&s->ngrams, context, label, &known->next);
        known->next = ngrams_cut(&s->ngrams, known->next, s->options.lm_order);
    }
    *next = known->next;
    return known->score;
}

/* Offer a hypothesis to the next row. */
static void offer(search *s, const hypothesis *at, int32_t unit, int32_t label) {
    uint32_t place = hashed(at->node, at->context ^ at->said, at->last) & (s->slots - 1);
    for (; s->stamp[place] == s->now; place = (place + 1) & (s->slots - 1)) {
        candidate *there = &s->candidates[s->table[place]];
        if (there->at.node != at->node || there->at.context != at->context) continue;
        if (there->at.last != at->last || there->at.said != at->said) continue;
        if (at->score > there->at.score) *there = (candidate){*at, unit, label};
        return;
    }
    if (s->made == s->room) return; /* several times what speech makes; the best hypothesis is extended first */
    s->stamp[place] = s->now;
    s->table[place] = (uint32_t)s->made;
    s->candidates[s->made++] = (candidate){*at, unit, label};
}

typedef struct {
    const float *row;
    uint8_t likely[MOST_UNITS]; /* whether a unit is worth a look */
    float best;
} front;

static int is_hopeless(const search *s, front *f, float score) {
    if (score > f->best) f->best = score;
    return score < f->best - s->options.threshold;
}

/* Hash of a word and those before it, as far as they are to keep hypotheses apart. */
static uint32_t said_after(const search *s, int32_t before, int32_t label) {
    if (s->options.apart < 1) return 0;
    uint32_t h = (uint32_t)search_base(s, label) + 1;
    for (int32_t words = 1; before >= 0 && words < s->options.apart; before = s->trace.marks[before].prev) {
        int32_t what = s->trace.marks[before].what;
        if (what >= 0) continue;
        h = hashed(h, (uint32_t)search_base(s, -1 - what) + 1, 0);
        words++;
    }
    return h;
}

/* Enter a node's words: each goes on at the root, with the node's unit still sounding. */
static void end_words(search *s, front *f, const lexicon *tree, uint32_t node, const hypothesis *from, float score) {
    uint32_t begin = tree->label_at[node], end = tree->label_at[node + 1];
    if (end > tree->labels) return;
    float ahead = s->options.lm_weight * -0.03f * (float)tree->ahead[node];
    for (uint32_t i = begin; i < end; i++) {
        uint32_t label = tree->label[i], known = s->lexicon.words + (uint32_t)s->users;
        if (label >= known) continue;
        if (s->banned && label < s->lexicon.words && s->banned[label / 64] >> label % 64 & 1) continue;
        hypothesis at = {0, 0, 0, tree->unit[node], from->trace, said_after(s, from->trace, (int32_t)label)};
        float word = search_word(s, from->context, label, &at.context);
        at.score = score - ahead + s->options.lm_weight * word + s->options.word_score;
        if (!is_hopeless(s, f, at.score)) offer(s, &at, tree->unit[node], (int32_t)label);
    }
}

static void enter_children(search *s, front *f, const lexicon *tree, uint32_t first, uint32_t node, const hypothesis *from) {
    uint32_t begin = tree->child[node], end = tree->child[node + 1];
    if (end > tree->nodes || begin <= node) return;
    float ahead = node ? -0.03f * (float)tree->ahead[node] : 0.0f;
    for (uint32_t child = begin; child < end; child++) {
        uint32_t unit = tree->unit[child];
        if (!unit || unit >= s->lexicon.units || !f->likely[unit] || unit == from->last) continue;
        float score = from->score + f->row[unit] + s->options.lm_weight * (-0.03f * (float)tree->ahead[child] - ahead);
        if (is_hopeless(s, f, score)) continue;
        hypothesis at = {score, first + child, from->context, unit, from->trace, from->said};
        if (tree->child[child] < tree->child[child + 1]) offer(s, &at, (int32_t)unit, -1);
        end_words(s, f, tree, child, from, score);
    }
}

static void extend(search *s, front *f, const hypothesis *from) {
    hypothesis at = *from;
    at.last = 0;
    at.score = from->score + f->row[0] - s->options.blank_penalty;
    if (!is_hopeless(s, f, at.score)) offer(s, &at, 0, -1);
    if (from->last) {
        at.last = from->last;
        at.score = from->score + f->row[from->last];
        if (!is_hopeless(s, f, at.score)) offer(s, &at, 0, -1);
    }
    uint32_t own = s->lexicon.nodes;
    if (from->node < own) enter_children(s, f, &s->lexicon, 0, from->node, from);
    if (s->grafted.nodes && !from->node) enter_children(s, f, &s->grafted, own, 0, from);
    if (from->node >= own && from->node - own < s->grafted.nodes)
        enter_children(s, f, &s->grafted, own, from->node - own, from);
}

/* Mark the units worth a look in a row: as many as wanted, the likeliest first. */
static void likely_units(const search *s, front *f) {
    for (int32_t taken = 0; taken < s->options.tokens; taken++) {
        uint32_t best = 0;
        for (uint32_t unit = 0; unit < s->lexicon.units; unit++)
            if (!f->likely[unit] && (f->likely[best] || f->row[unit] > f->row[best])) best = unit;
        if (f->likely[best]) break;
        f->likely[best] = 1;
    }
}

static float cutoff(float *scores, int32_t count, int32_t keep) {
    int32_t low = 0, high = count - 1;
    while (low < high) { /* quickselect, descending */
        float pivot = scores[low + (high - low) / 2];
        int32_t i = low, j = high;
        while (i <= j) {
            while (scores[i] > pivot) i++;
            while (scores[j] < pivot) j--;
            if (i <= j) {
                float swapped = scores[i];
                scores[i++] = scores[j];
                scores[j--] = swapped;
            }
        }
        if (keep - 1 <= j)
            high = j;
        else if (keep - 1 >= i)
            low = i;
        else
            break;
    }
    return scores[keep - 1];
}

/* The candidates that survive become the hypotheses, the best one first; of equally good ones at the beam's edge those
 * that came first, never in the place of a better one. */
static void select_best(search *s, float best, int32_t step) {
    float least = best - s->options.threshold;
    int32_t ties = s->made; /* how many candidates of the least score there is room for */
    if (s->made > s->options.beam) {
        for (int32_t i = 0; i < s->made; i++) s->scores[i] = s->candidates[i].at.score;
        float there = cutoff(s->scores, s->made, s->options.beam);
        if (there > least) least = there;
        ties = s->options.beam;
        for (int32_t i = 0; i < s->made; i++) ties -= s->candidates[i].at.score > least;
    }
    s->count = 0;
    int32_t first = 0;
    for (int32_t i = 0; i < s->made && s->count < s->options.beam; i++) {
        candidate *c = &s->candidates[i];
        if (c->at.score < least || (c->at.score == least && ties-- <= 0)) continue;
        hypothesis at = c->at;
        if (c->unit) at.trace = trace_add(&s->trace, at.trace, c->unit, step);
        if (c->label >= 0) at.trace = trace_add(&s->trace, at.trace, -1 - c->label, step);
        if (s->count && at.score > s->hyps[first].score) first = s->count;
        s->hyps[s->count++] = at;
    }
    if (first) {
        hypothesis swapped = s->hyps[0];
        s->hyps[0] = s->hyps[first];
        s->hyps[first] = swapped;
    }
}

static int take_row(search *s, const float *row, int32_t step) {
    if (trace_room(&s->trace, s->hyps, s->count, 2 * s->options.beam)) return -1;
    front f = {.row = row, .best = -INFINITY};
    likely_units(s, &f);
    s->made = 0;
    if (!++s->now) {
        memset(s->stamp, 0, s->slots * sizeof *s->stamp);
        s->now = 1;
    }
    for (int32_t i = 0; i < s->count; i++) extend(s, &f, &s->hyps[i]);
    if (s->made) select_best(s, f.best, step);
    return 0;
}

/* Take rows of natural log-probabilities, [count, units], the first one `step` of the utterance; -1 without memory. */
EDGEASR_API int edgeasr_search_step(search *s, const float *rows, int32_t count, int32_t step) {
    for (int32_t i = 0; i < count; i++) {
        const float *row = rows + (size_t)i * s->lexicon.units;
        int is_certain = row[0] > s->options.blank_skip;
        /* A run of rows that are all but certainly blank changes no words: its first one stands for it. */
        if (!(is_certain && s->is_certain) && take_row(s, row, step + i)) return -1;
        s->is_certain = is_certain;
    }
    return 0;
}
