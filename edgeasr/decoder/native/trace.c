/* What the hypotheses heard: marks that point back, and are thrown away once no hypothesis leads to them. */
#include "native.h"

#include <stdlib.h>

int trace_init(trace *t, int32_t size) {
    t->marks = malloc((size_t)size * sizeof *t->marks);
    t->moved = malloc((size_t)size * sizeof *t->moved);
    t->used = t->settled = 0;
    t->size = size;
    return t->marks && t->moved ? 0 : -1;
}

void trace_free(trace *t) {
    free(t->marks);
    free(t->moved);
}

int32_t trace_add(trace *t, int32_t prev, int32_t what, int32_t step) {
    mark *m = &t->marks[t->used];
    m->prev = prev;
    m->what = what;
    m->step = step;
    m->words = (prev < 0 ? t->settled : t->marks[prev].words) + (what < 0);
    return t->used++;
}

/* Keep only the marks that the hypotheses lead to; a mark lies behind those it points to, so one pass each way does. */
static void collect(trace *t, hypothesis *hyps, int32_t count) {
    for (int32_t i = 0; i < t->used; i++) t->moved[i] = 0;
    for (int32_t i = 0; i < count; i++)
        if (hyps[i].trace >= 0) t->moved[hyps[i].trace] = 1;
    for (int32_t i = t->used - 1; i >= 0; i--)
        if (t->moved[i] && t->marks[i].prev >= 0) t->moved[t->marks[i].prev] = 1;
    int32_t kept = 0;
    for (int32_t i = 0; i < t->used; i++) {
        if (!t->moved[i]) continue;
        mark m = t->marks[i];
        if (m.prev >= 0) m.prev = t->moved[m.prev];
        t->marks[kept] = m;
        t->moved[i] = kept++;
    }
    for (int32_t i = 0; i < count; i++)
        if (hyps[i].trace >= 0) hyps[i].trace = t->moved[hyps[i].trace];
    t->used = kept;
}

int trace_room(trace *t, hypothesis *hyps, int32_t count, int32_t wanted) {
    if (t->used + wanted <= t->size) return 0;
    collect(t, hyps, count);
    if (t->used + wanted <= t->size / 2) return 0;
    int32_t size = t->size * 2 > t->used + wanted ? t->size * 2 : t->used + wanted;
    mark *marks = realloc(t->marks, (size_t)size * sizeof *marks);
    if (marks) t->marks = marks;
    int32_t *moved = realloc(t->moved, (size_t)size * sizeof *moved);
    if (moved) t->moved = moved;
    if (!marks || !moved) return -1;
    t->size = size;
    return 0;
}
