// Matrix products in bfloat16. With AMX (Intel's Optimization Reference Manual, chapter "Intel AMX") 32 rows by 32
// columns of the result at a time stay in four tiles while both factors pass by; without, eight rows by 32 columns in
// AVX-512's registers. The right factor lies in tiles of 32 rows by 16 columns, two rows interleaved; the left one row
// by row.
#pragma once
#include <immintrin.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef uint16_t bf16;

static constexpr int kTileWords = 256;  // of 32 bits

#ifdef __AMX_BF16__
struct alignas(64) TileConfig {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
};

static inline bool tiles_begin() {
    static thread_local bool asked = false, granted = false;
    if (!asked) {
        asked = true;
        granted = syscall(SYS_arch_prctl, 0x1023, 18) == 0;
    }
    if (!granted) return false;
    TileConfig config;
    for (int tile = 0; tile < 8; tile++) {
        config.bytes[tile] = 64;
        config.rows[tile] = 16;
    }
    _tile_loadconfig(&config);
    return true;
}

static inline void tiles_end() { _tile_release(); }
#else
static inline bool tiles_begin() { return true; }

static inline void tiles_end() {}
#endif

static inline __m512i pairs_of(__m512 first, __m512 second) {
    // 16 columns of two rows, interleaved.
    const __m512i a = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(first));
    const __m512i b = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(second));
    return _mm512_or_si512(a, _mm512_slli_epi32(b, 16));
}

static inline __m512i pairs_of(const bf16* first, const bf16* second) {
    const __m512i a = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)first));
    const __m512i b = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)second));
    return _mm512_or_si512(a, _mm512_slli_epi32(b, 16));
}

static inline void transpose16(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

// Right factor of `a @ w` where float w[depth, columns]: tile (column / 16, depth / 32).
static inline void pack_weights(const float* w, int depth, int columns, uint32_t* out) {
    for (int n = 0; n < columns; n += 16)
        for (int k = 0; k < depth; k += 2, out += 16)
            _mm512_store_si512(out, pairs_of(_mm512_loadu_ps(w + (size_t)k * columns + n),
                                             _mm512_loadu_ps(w + (size_t)(k + 1) * columns + n)));
}

// The same of `a @ w.T` where float w[columns, depth].
static inline void pack_weights_transposed(const float* w, int depth, int columns, uint32_t* out) {
    const __m512i order = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i other = _mm512_add_epi32(order, _mm512_set1_epi32(1));
    for (int n = 0; n < columns; n += 16)
        for (int k = 0; k < depth; k += 32, out += kTileWords) {
            __m512i r[16];
            for (int j = 0; j < 16; j++) {
                const float* from = w + (size_t)(n + j) * depth + k;
                const __m512 low = _mm512_loadu_ps(from), high = _mm512_loadu_ps(from + 16);
                r[j] = pairs_of(_mm512_permutex2var_ps(low, order, high), _mm512_permutex2var_ps(low, other, high));
            }
            transpose16(r);
            for (int j = 0; j < 16; j++) _mm512_store_si512(out + 16 * j, r[j]);
        }
}

// Right factor of `a @ x` where bf16 x[rows, columns], rows made up to a multiple of 32 with zeros.
static inline void pack_rows(const bf16* x, int rows, int columns, uint32_t* out) {
    const int whole = (rows + 31) / 32 * 32;
    for (int k = 0; k < whole; k += 32)
        for (int n = 0; n < columns; n += 16) {
            uint32_t* tile = out + ((size_t)(n / 16) * (whole / 32) + k / 32) * kTileWords;
            const bf16* from = x + (size_t)k * columns + n;
            for (int j = 0; j < 16; j++, from += 2 * columns)
                _mm512_store_si512(tile + 16 * j,
                                   k + 2 * j < rows ? pairs_of(from, from + columns) : _mm512_setzero_si512());
        }
}

// Left factor of `x.T @ b`: bf16[columns, rows made up to a multiple of 32].
static inline void transpose_rows(const bf16* x, int rows, int columns, bf16* out) {
    const int whole = (rows + 31) / 32 * 32;
    for (int k = 0; k < whole; k += 32)
        for (int n = 0; n < columns; n += 16) {
            __m512i r[16];
            for (int j = 0; j < 16; j++) {
                const int row = k + 2 * j;
                r[j] = row < rows ? pairs_of(x + (size_t)row * columns + n, x + (size_t)(row + 1) * columns + n)
                                  : _mm512_setzero_si512();
            }
            transpose16(r);
            for (int j = 0; j < 16; j++) _mm512_storeu_si512(out + (size_t)(n + j) * whole + k, r[j]);
        }
}

// a[rows, depth] (`stride` values from row to row) times the packed factor; `take(row, column, float[16])` gets the
// result, 16 columns of a row at a time. Rows are a multiple of 16, columns and depth of 32.
// `kByColumns`: pass over the left factor for each two columns of tiles, where the right one is the larger.
#ifdef __AMX_BF16__
template <bool kByColumns, class Take>
static inline void multiply(const bf16* a, int stride, const uint32_t* packed, int rows, int depth, int columns,
                            Take take) {
    alignas(64) float out[4][256];
    const int bytes = stride * 2;
    const int outer_end = kByColumns ? columns : rows, inner_end = kByColumns ? rows : columns;
    for (int outer = 0; outer < outer_end; outer += 32) {
        for (int inner = 0; inner < inner_end; inner += 32) {
            const int m = kByColumns ? inner : outer, n = kByColumns ? outer : inner;
            const bool is_pair = m + 16 < rows;
            const bf16* low = a + (size_t)m * stride;
            const bf16* high = low + (is_pair ? (size_t)16 * stride : 0);
            const uint32_t* left = packed + (size_t)(n / 16) * (depth / 32) * kTileWords;
            const uint32_t* right = left + (size_t)(depth / 32) * kTileWords;
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
            for (int k = 0; k < depth; k += 32, left += kTileWords, right += kTileWords) {
                _tile_loadd(4, low + k, bytes);
                _tile_loadd(6, left, 64);
                _tile_loadd(7, right, 64);
                _tile_dpbf16ps(0, 4, 6);
                _tile_dpbf16ps(1, 4, 7);
                _tile_loadd(5, high + k, bytes);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
            _tile_stored(0, out[0], 64);
            _tile_stored(1, out[1], 64);
            _tile_stored(2, out[2], 64);
            _tile_stored(3, out[3], 64);
            for (int half = 0; half < (is_pair ? 2 : 1); half++)
                for (int r = 0; r < 16; r++) {
                    take(m + 16 * half + r, n, _mm512_load_ps(out[2 * half] + 16 * r));
                    take(m + 16 * half + r, n + 16, _mm512_load_ps(out[2 * half + 1] + 16 * r));
                }
        }
    }
}
#else
// Without tiles: eight rows by 32 columns stay in sixteen registers, one pair of rows of the right factor a step
// (VDPBF16PS, which AMD's Zen 4 and later have too). The 32 columns of the right factor stay in the nearest cache
// while all rows of the left one pass by.
template <bool kByColumns, class Take>
static inline void multiply(const bf16* a, int stride, const uint32_t* packed, int rows, int depth, int columns,
                            Take take) {
    static constexpr int kRows = 8;
    for (int n = 0; n < columns; n += 32) {
        const uint32_t* first = packed + (size_t)(n / 16) * (depth / 32) * kTileWords;
        for (int m = 0; m < rows; m += kRows) {
            const bf16* from[kRows];
            __m512 low[kRows], high[kRows];
            for (int r = 0; r < kRows; r++) {
                from[r] = a + (size_t)(m + r) * stride;
                low[r] = high[r] = _mm512_setzero_ps();
            }
            const uint32_t *left = first, *right = first + (size_t)(depth / 32) * kTileWords;
            for (int k = 0; k < depth; k += 2, left += 16, right += 16) {
                const __m512bh b0 = (__m512bh)_mm512_load_si512(left), b1 = (__m512bh)_mm512_load_si512(right);
                for (int r = 0; r < kRows; r++) {
                    int32_t pair;
                    memcpy(&pair, from[r] + k, 4);
                    const __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
                    low[r] = _mm512_dpbf16_ps(low[r], both, b0);
                    high[r] = _mm512_dpbf16_ps(high[r], both, b1);
                }
            }
            for (int r = 0; r < kRows; r++) {
                take(m + r, n, low[r]);
                take(m + r, n + 16, high[r]);
            }
        }
    }
}
#endif
