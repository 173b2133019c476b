/* The packed lexicon: header, then arrays; see edgeasr/decoder/packed.py, which writes it. */
#include "native.h"

#include <string.h>

typedef struct {
    char magic[8];
    uint32_t units, words, nodes, labels, text, reserved;
} header;

int lexicon_read(lexicon *into, const uint8_t *data, size_t size) {
    header h;
    if (size < sizeof h) return -1;
    memcpy(&h, data, sizeof h);
    if (memcmp(h.magic, "EDGELX1", 8) || !h.units || h.units > MOST_UNITS || !h.nodes || !h.words) return -1;
    uint64_t wanted = sizeof h + 4 * (2 * ((uint64_t)h.nodes + 1) + h.labels + (uint64_t)h.words + 1) +
                      2 * (uint64_t)h.nodes + h.text;
    if (wanted != size) return -1;
    const uint32_t *at = (const uint32_t *)(data + sizeof h);
    into->units = h.units;
    into->words = h.words;
    into->nodes = h.nodes;
    into->labels = h.labels;
    into->child = at;
    into->label_at = at += h.nodes + 1;
    into->label = at += h.nodes + 1;
    at += h.labels + h.words + 1; /* the words' ends are the reader's own business */
    into->unit = (const uint8_t *)at;
    into->ahead = into->unit + h.nodes;
    return 0;
}
