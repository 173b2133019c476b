// A block of the acoustic network (tools/acoustic/network.py) forward and backward, in one call each: depthwise
// convolution in time, batch normalisation, expansion, ReLU with dropout, projection, around a delayed residual.
// Rows are utterances end to end, `steps` each, a multiple of 16; the residual stream is float32, products are bfloat16.
#include "tiles.h"

static inline void narrowed(bf16* to, __m512 value) {
    _mm256_storeu_si256((__m256i*)to, (__m256i)_mm512_cvtneps_pbh(value));
}

static constexpr int kTaps = 9;
static constexpr int kMostChannels = 1024;

static constexpr int kAbreast = 8;  // rows taken together, so that sums over rows stay in registers a while

static inline void add_to(float* sums, __m512 value) {
    _mm512_storeu_ps(sums, _mm512_add_ps(_mm512_loadu_ps(sums), value));
}

extern "C" {

// x float[rows, channels] to out of the same shape. Kept for the way back: y (after the convolution), mixed bf16
// (normalised), active bf16[rows, hidden] (after ReLU and dropout), mean and inverse deviation.
// `left` float[utterances, hidden]: what dropout leaves of each hidden unit; `kept` float[utterances]: of the branch.
// taps float[9, channels]. With `is_settled` the running statistics are used, otherwise they follow the batch's.
int block_forward(const float* x, const float* taps, const float* gamma, const float* beta, float* running_mean,
                  float* running_variance, const float* expand, const float* expand_bias, const float* project,
                  const float* project_bias, const float* left, const float* kept, float* y, bf16* mixed, bf16* active,
                  float* mean, float* inverse, float* out, uint32_t* packed, int utterances, int steps, int channels,
                  int hidden, int right, int is_settled) {
    if (!tiles_begin()) return 1;
    const int rows = utterances * steps;
    // Sums and squares of y less the running mean, which is near enough to the batch's for single precision.
    alignas(64) float sums[kMostChannels] = {}, squares[kMostChannels] = {};
    for (int first = 0; first < rows; first += kAbreast) {
        const int t = first % steps;
        for (int c = 0; c < channels; c += 16) {
            const float* from = x + (size_t)first * channels + c;
            __m512 w[kTaps], seen[kAbreast + kTaps - 1];
            for (int k = 0; k < kTaps; k++) w[k] = _mm512_loadu_ps(taps + k * channels + c);
            for (int i = 0; i < kAbreast + kTaps - 1; i++) {
                const int back = i - (kTaps - 1);
                seen[i] = t + back >= 0 ? _mm512_loadu_ps(from + (ptrdiff_t)back * channels) : _mm512_setzero_ps();
            }
            const __m512 usual = _mm512_loadu_ps(running_mean + c);
            __m512 sum = _mm512_setzero_ps(), square = _mm512_setzero_ps();
            for (int i = 0; i < kAbreast; i++) {
                __m512 value = _mm512_mul_ps(w[0], seen[i]);
                for (int k = 1; k < kTaps; k++) value = _mm512_fmadd_ps(w[k], seen[i + k], value);
                _mm512_storeu_ps(y + (size_t)(first + i) * channels + c, value);
                value = _mm512_sub_ps(value, usual);
                sum = _mm512_add_ps(sum, value);
                square = _mm512_fmadd_ps(value, value, square);
            }
            add_to(sums + c, sum);
            add_to(squares + c, square);
        }
    }
    for (int c = 0; c < channels; c++) {
        float variance = running_variance[c];
        mean[c] = running_mean[c];
        if (!is_settled) {
            const float away = sums[c] / rows;
            variance = squares[c] / rows - away * away;
            mean[c] += away;
            running_mean[c] += 0.1f * away;
            running_variance[c] += 0.1f * (variance * rows / (rows - 1) - running_variance[c]);
        }
        inverse[c] = 1.0f / __builtin_sqrtf(variance + 1e-5f);
        squares[c] = gamma[c] * inverse[c];
        sums[c] = beta[c] - mean[c] * squares[c];
    }
    for (int n = 0; n < rows; n++)
        for (int c = 0; c < channels; c += 16) {
            const size_t at = (size_t)n * channels + c;
            narrowed(mixed + at,
                     _mm512_fmadd_ps(_mm512_loadu_ps(y + at), _mm512_load_ps(squares + c), _mm512_load_ps(sums + c)));
        }
    pack_weights_transposed(expand, channels, hidden, packed);
    multiply<false>(mixed, channels, packed, rows, channels, hidden, [&](int n, int j, __m512 value) {
        value = _mm512_max_ps(_mm512_add_ps(value, _mm512_loadu_ps(expand_bias + j)), _mm512_setzero_ps());
        value = _mm512_mul_ps(value, _mm512_loadu_ps(left + (size_t)(n / steps) * hidden + j));
        narrowed(active + (size_t)n * hidden + j, value);
    });
    pack_weights_transposed(project, hidden, channels, packed);
    multiply<false>(active, hidden, packed, rows, hidden, channels, [&](int n, int c, __m512 value) {
        value = _mm512_mul_ps(_mm512_add_ps(value, _mm512_loadu_ps(project_bias + c)), _mm512_set1_ps(kept[n / steps]));
        if (n % steps >= right)
            value = _mm512_add_ps(value, _mm512_loadu_ps(x + (size_t)(n - right) * channels + c));
        _mm512_storeu_ps(out + (size_t)n * channels + c, value);
    });
    tiles_end();
    return 0;
}

// Gradients of all that block_forward took, from `grown` float[rows, channels]. `scale`: what dropout multiplies with.
// Work space: branch bf16[rows, channels], hidden_back bf16[rows, hidden], turned bf16[channels, rows up to 32],
// packed, mixed_back float[rows, channels].
int block_backward(const float* grown, const float* x, const float* taps, const float* gamma, const float* expand,
                   const float* project, const float* kept, const float* y, const bf16* mixed, const bf16* active,
                   const float* mean, const float* inverse, float* x_back, float* taps_back, float* gamma_back,
                   float* beta_back, float* expand_back, float* expand_bias_back, float* project_back,
                   float* project_bias_back, bf16* branch, bf16* hidden_back, bf16* turned, uint32_t* packed,
                   float* mixed_back, int utterances, int steps, int channels, int hidden, int right, int is_settled,
                   float scale) {
    if (!tiles_begin()) return 1;
    const int rows = utterances * steps, whole = (rows + 31) / 32 * 32;
    memset(project_bias_back, 0, channels * sizeof(float));
    for (int first = 0; first < rows; first += kAbreast) {
        const __m512 whole_branch = _mm512_set1_ps(kept[first / steps]);
        for (int c = 0; c < channels; c += 16) {
            __m512 sum = _mm512_setzero_ps();
            for (int n = first; n < first + kAbreast; n++) {
                const size_t at = (size_t)n * channels + c;
                const __m512 value = _mm512_mul_ps(_mm512_loadu_ps(grown + at), whole_branch);
                sum = _mm512_add_ps(sum, value);
                narrowed(branch + at, value);
            }
            add_to(project_bias_back + c, sum);
        }
    }
    pack_weights(project, channels, hidden, packed);
    memset(expand_bias_back, 0, hidden * sizeof(float));
    const __m512 louder = _mm512_set1_ps(scale);
    multiply<false>(branch, channels, packed, rows, channels, hidden, [&](int n, int j, __m512 value) {
        const __mmask16 was = _mm256_cmpneq_epi16_mask(
            _mm256_loadu_si256((const __m256i*)(active + (size_t)n * hidden + j)), _mm256_setzero_si256());
        value = _mm512_maskz_mul_ps(was, value, louder);
        _mm512_storeu_ps(expand_bias_back + j, _mm512_add_ps(_mm512_loadu_ps(expand_bias_back + j), value));
        narrowed(hidden_back + (size_t)n * hidden + j, value);
    });
    transpose_rows(branch, rows, channels, turned);
    pack_rows(active, rows, hidden, packed);
    multiply<true>(turned, whole, packed, channels, whole, hidden, [&](int c, int j, __m512 value) {
        _mm512_storeu_ps(project_back + (size_t)c * hidden + j, value);
    });
    // The expansion's gradient comes out transposed: float[channels, hidden].
    transpose_rows(mixed, rows, channels, turned);
    pack_rows(hidden_back, rows, hidden, packed);
    multiply<true>(turned, whole, packed, channels, whole, hidden, [&](int c, int j, __m512 value) {
        _mm512_storeu_ps(expand_back + (size_t)c * hidden + j, value);
    });
    pack_weights(expand, hidden, channels, packed);
    multiply<false>(hidden_back, hidden, packed, rows, hidden, channels, [&](int n, int c, __m512 value) {
        _mm512_storeu_ps(mixed_back + (size_t)n * channels + c, value);
    });
    memset(beta_back, 0, channels * sizeof(float));
    memset(gamma_back, 0, channels * sizeof(float));
    for (int first = 0; first < rows; first += kAbreast)
        for (int c = 0; c < channels; c += 16) {
            const __m512 middle = _mm512_loadu_ps(mean + c), spread = _mm512_loadu_ps(inverse + c);
            __m512 sum = _mm512_setzero_ps(), along = _mm512_setzero_ps();
            for (int n = first; n < first + kAbreast; n++) {
                const size_t at = (size_t)n * channels + c;
                const __m512 back = _mm512_loadu_ps(mixed_back + at);
                const __m512 unit = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(y + at), middle), spread);
                sum = _mm512_add_ps(sum, back);
                along = _mm512_fmadd_ps(back, unit, along);
            }
            add_to(beta_back + c, sum);
            add_to(gamma_back + c, along);
        }
    const __m512 share = _mm512_set1_ps(is_settled ? 0.0f : 1.0f / rows);
    for (int first = 0; first < rows; first += kAbreast)
        for (int c = 0; c < channels; c += 16) {
            const __m512 middle = _mm512_loadu_ps(mean + c), spread = _mm512_loadu_ps(inverse + c);
            const __m512 all = _mm512_mul_ps(_mm512_loadu_ps(gamma + c), spread);
            const __m512 even = _mm512_mul_ps(_mm512_loadu_ps(beta_back + c), share);
            const __m512 slope = _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(gamma_back + c), share), spread);
            for (int n = first; n < first + kAbreast; n++) {
                const size_t at = (size_t)n * channels + c;
                const __m512 away = _mm512_sub_ps(_mm512_loadu_ps(y + at), middle);
                const __m512 less = _mm512_fnmadd_ps(away, slope, _mm512_sub_ps(_mm512_loadu_ps(mixed_back + at), even));
                _mm512_storeu_ps(mixed_back + at, _mm512_mul_ps(all, less));
            }
        }
    memset(taps_back, 0, kTaps * channels * sizeof(float));
    for (int first = 0; first < rows; first += kAbreast) {
        const int t = first % steps;
        for (int c = 0; c < channels; c += 16) {
            const size_t start = (size_t)first * channels + c;
            __m512 later[kAbreast + kTaps - 1];
            for (int i = 0; i < kAbreast + kTaps - 1; i++)
                later[i] = t + i < steps ? _mm512_loadu_ps(mixed_back + start + (size_t)i * channels) : _mm512_setzero_ps();
            __m512 w[kTaps];
            for (int k = 0; k < kTaps; k++) w[k] = _mm512_loadu_ps(taps + k * channels + c);
            for (int i = 0; i < kAbreast; i++) {
                __m512 sum = _mm512_setzero_ps();
                if (t + i + right < steps) sum = _mm512_loadu_ps(grown + start + (size_t)(i + right) * channels);
                for (int k = 0; k < kTaps; k++) sum = _mm512_fmadd_ps(w[k], later[i + kTaps - 1 - k], sum);
                _mm512_storeu_ps(x_back + start + (size_t)i * channels, sum);
            }
            for (int k = 0; k < kTaps; k++) w[k] = _mm512_loadu_ps(taps_back + k * channels + c);
            for (int i = 0; i < kAbreast; i++) {
                const __m512 here = _mm512_loadu_ps(x + start + (size_t)i * channels);
                for (int k = 0; k < kTaps; k++) w[k] = _mm512_fmadd_ps(here, later[i + kTaps - 1 - k], w[k]);
            }
            for (int k = 0; k < kTaps; k++) _mm512_storeu_ps(taps_back + k * channels + c, w[k]);
        }
    }
    tiles_end();
    return 0;
}
}
