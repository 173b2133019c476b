// The two parts of the training that a graphics processor does badly with ready-made operations: the denominator of
// lattice-free MMI, a recursion over time, and depthwise convolution in time. Plain C entry points, no dependencies.
//
// Denominator. States are (k, p, o): the phone p was the last one, o the one before it; k = 0 while p is still held, 1 in
// the blank after it. One block an utterance, the trigram in its shared memory in half precision.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace {

constexpr int kUnits = 40;
constexpr int kRow = kUnits + 2;  // an odd number of words, so that neighbouring rows lie in different banks
constexpr int kPairs = kUnits * kUnits;
constexpr int kPad = kUnits + 1;
constexpr float kScale = 1024.0f;  // keeps small probabilities out of half precision's denormals
constexpr int kForwardThreads = kUnits * kUnits / 2;
constexpr int kBackwardThreads = kUnits * 16;

__device__ void load_trigram(const float* follows, __half* shared) {
    for (int i = threadIdx.x; i < kPairs * kUnits; i += blockDim.x)
        shared[(i / kUnits) * kRow + i % kUnits] = __float2half(follows[i] * kScale);
}

// alpha[batch][steps + 1][2][p][o], each step as it comes from the normalised one before it; sums[batch][steps + 1].
__global__ void __launch_bounds__(kForwardThreads)
forward(const float* log_probs, const int* lengths, const float* follows, float* alpha, float* sums, float* totals, int batch,
        int steps) {
    extern __shared__ char memory[];
    __half* trigram = reinterpret_cast<__half*>(memory);
    float* state = reinterpret_cast<float*>(memory + kPairs * kRow * sizeof(__half));  // [2 buffers][2][p][kPad]
    constexpr int kState = 2 * kUnits * kPad;
    float* y = state + 2 * kState;  // [2][kUnits]
    float* sum = y + 2 * kUnits;    // [3]
    const int b = blockIdx.x, thread = threadIdx.x, count = lengths[b];
    const int p = thread / (kUnits / 2), q = thread % (kUnits / 2) * 2;
    load_trigram(follows, trigram);
    for (int i = thread; i < 2 * kState; i += blockDim.x) state[i] = 0.0f;
    if (thread < kUnits && count) y[thread] = __expf(log_probs[(size_t)b * kUnits + thread]);
    if (thread < 3) sum[thread] = thread == 0 ? 1.0f : 0.0f;
    __syncthreads();
    float* out = alpha + (size_t)b * (steps + 1) * 2 * kPairs;
    if (thread == 0) {
        state[kUnits * kPad] = 1.0f;
        sums[(size_t)b * (steps + 1)] = 1.0f;
    }
    for (int i = thread; i < 2 * kPairs; i += blockDim.x) out[i] = i == kPairs ? 1.0f : 0.0f;
    __syncthreads();
    double total = 0.0;
    for (int t = 0; t < count; ++t) {
        const float* held = state + (t & 1) * kState;
        const float* blank = held + kUnits * kPad;
        float* next_held = state + ((t + 1) & 1) * kState;
        float* next_blank = next_held + kUnits * kPad;
        const float* now = y + (t & 1) * kUnits;
        const float inverse = 1.0f / sum[t % 3];
        if (thread < kUnits && t + 1 < count)
            y[((t + 1) & 1) * kUnits + thread] = __expf(log_probs[((size_t)(t + 1) * batch + b) * kUnits + thread]);
        if (thread == 0) sum[(t + 2) % 3] = 0.0f;
        float came0 = 0.0f, came1 = 0.0f;
        const __half2* row = reinterpret_cast<const __half2*>(trigram + p * kUnits * kRow + q);
        for (int o = 0; o < kUnits; ++o) {
            const float h = held[p * kPad + o], k = blank[p * kPad + o], mass = h + k;
            const float2 f = __half22float2(row[o * (kRow / 2)]);
            came0 += (q == p ? k : mass) * f.x;  // the same phone again needs a blank between
            came1 += (q + 1 == p ? k : mass) * f.y;
        }
        came0 *= 1.0f / kScale;
        came1 *= 1.0f / kScale;
        const float new0 = q ? inverse * now[q] * (came0 + held[q * kPad + p]) : 0.0f;
        const float new1 = inverse * now[q + 1] * (came1 + held[(q + 1) * kPad + p]);
        const float blank0 = inverse * now[0] * (held[p * kPad + q] + blank[p * kPad + q]);
        const float blank1 = inverse * now[0] * (held[p * kPad + q + 1] + blank[p * kPad + q + 1]);
        next_held[q * kPad + p] = new0;
        next_held[(q + 1) * kPad + p] = new1;
        next_blank[p * kPad + q] = blank0;
        next_blank[p * kPad + q + 1] = blank1;
        float* place = out + (size_t)(t + 1) * 2 * kPairs;
        place[q * kUnits + p] = new0;
        place[(q + 1) * kUnits + p] = new1;
        *reinterpret_cast<float2*>(place + kPairs + p * kUnits + q) = make_float2(blank0, blank1);
        float part = new0 + new1 + blank0 + blank1;
        for (int offset = 16; offset; offset /= 2) part += __shfl_down_sync(0xffffffff, part, offset);
        if (thread % 32 == 0) atomicAdd(sum + (t + 1) % 3, part);
        __syncthreads();
        if (thread == 0) {
            const float norm = sum[(t + 1) % 3];
            sums[(size_t)b * (steps + 1) + t + 1] = norm;
            total += log((double)norm);
        }
    }
    // The end, for which unit 0 stands among those that follow.
    const float* held = state + (count & 1) * kState;
    float part = 0.0f;
    for (int i = thread; i < kPairs; i += blockDim.x) {
        const int at = i / kUnits * kPad + i % kUnits;
        part += (held[at] + held[kUnits * kPad + at]) * __half2float(trigram[i * kRow]) * (1.0f / kScale);
    }
    for (int offset = 16; offset; offset /= 2) part += __shfl_down_sync(0xffffffff, part, offset);
    if (thread == 0) y[0] = 0.0f;
    __syncthreads();
    if (thread % 32 == 0) atomicAdd(y, part);
    __syncthreads();
    if (thread == 0) {
        const float final = y[0] / sum[count % 3];
        totals[b] = (float)(total + log((double)final));
        sums[(size_t)b * (steps + 1)] = final;  // what the way back begins with
    }
}

__global__ void __launch_bounds__(kBackwardThreads)
backward(const float* log_probs, const int* lengths, const float* follows, const float* alpha, const float* sums, float* occupancy,
         int batch, int steps) {
    extern __shared__ char memory[];
    __half* trigram = reinterpret_cast<__half*>(memory);
    float* held = reinterpret_cast<float*>(memory + kPairs * kRow * sizeof(__half));  // beta[0][p][kPad]
    float* blank = held + kUnits * kPad;
    float* reached = blank + kUnits * kPad;  // [p][kPad]
    float* y = reached + kUnits * kPad;      // [2][kUnits]
    float* blanks = y + 2 * kUnits;          // [2]
    const int b = blockIdx.x, thread = threadIdx.x, count = lengths[b];
    const int p = thread / 16, lane = thread % 16;
    load_trigram(follows, trigram);
    __syncthreads();
    const float* norms = sums + (size_t)b * (steps + 1);
    const float* stored = alpha + (size_t)b * (steps + 1) * 2 * kPairs;
    const float final = norms[0];
    for (int o = lane; o < kUnits; o += 16)
        held[p * kPad + o] = blank[p * kPad + o] =
            __half2float(trigram[(p * kUnits + o) * kRow]) * (1.0f / kScale) / final;
    if (thread < kUnits && count) y[thread] = __expf(log_probs[((size_t)(count - 1) * batch + b) * kUnits + thread]);
    if (thread < 2) blanks[thread] = 0.0f;
    float a[3], k[3];
    for (int i = 0; i < 3; ++i) {
        const int o = lane + 16 * i;
        a[i] = o < kUnits && count ? stored[(size_t)count * 2 * kPairs + p * kUnits + o] : 0.0f;
        k[i] = o < kUnits && count ? stored[(size_t)count * 2 * kPairs + kPairs + p * kUnits + o] : 0.0f;
    }
    __syncthreads();
    for (int t = count - 1, turn = 0; t >= 0; --t, turn ^= 1) {
        const float* now = y + turn * kUnits;
        const float inverse = 1.0f / norms[t + 1];
        if (thread < kUnits && t) y[(turn ^ 1) * kUnits + thread] = __expf(log_probs[((size_t)(t - 1) * batch + b) * kUnits + thread]);
        float occupied = 0.0f, silent = 0.0f;
        for (int i = 0; i < 3; ++i) {
            const int o = lane + 16 * i;
            if (o >= kUnits) break;
            occupied += a[i] * held[p * kPad + o];
            silent += k[i] * blank[p * kPad + o];
            reached[p * kPad + o] = o ? now[o] * held[o * kPad + p] : 0.0f;  // here `o` is the phone that follows
        }
        for (int i = 0; i < 3; ++i) {  // the next step's, while this one is computed
            const int o = lane + 16 * i;
            a[i] = o < kUnits && t ? stored[(size_t)t * 2 * kPairs + p * kUnits + o] : 0.0f;
            k[i] = o < kUnits && t ? stored[(size_t)t * 2 * kPairs + kPairs + p * kUnits + o] : 0.0f;
        }
        for (int offset = 8; offset; offset /= 2) {
            occupied += __shfl_down_sync(0xffffffff, occupied, offset, 16);
            silent += __shfl_down_sync(0xffffffff, silent, offset, 16);
        }
        float* place = occupancy + ((size_t)t * batch + b) * kUnits;
        if (lane == 0) {
            if (p) place[p] = occupied * inverse;
            atomicAdd(blanks + turn, silent);
        }
        __syncthreads();
        if (thread == 0) {
            place[0] = blanks[turn] * inverse;
            blanks[turn ^ 1] = 0.0f;
        }
        float onward[3], again[3];
        for (int i = 0; i < 3; ++i) {
            const int o = lane + 16 * i;
            if (o >= kUnits) break;
            const __half2* row = reinterpret_cast<const __half2*>(trigram + (p * kUnits + o) * kRow);
            float others = 0.0f, same = 0.0f;
            for (int q = 0; q < kUnits / 2; ++q) {
                const float2 f = __half22float2(row[q]);
                const float first = f.x * reached[p * kPad + 2 * q], second = f.y * reached[p * kPad + 2 * q + 1];
                if (2 * q == p) same += first; else others += first;
                if (2 * q + 1 == p) same += second; else others += second;
            }
            others = others * (1.0f / kScale) + now[0] * blank[p * kPad + o];
            onward[i] = inverse * (others + same * (1.0f / kScale));
            again[i] = p ? inverse * (others + now[p] * held[p * kPad + o]) : onward[i];
        }
        __syncthreads();
        for (int i = 0; i < 3; ++i) {
            const int o = lane + 16 * i;
            if (o >= kUnits) break;
            blank[p * kPad + o] = onward[i];
            held[p * kPad + o] = again[i];
        }
        __syncthreads();
    }
}

constexpr int kTaps = 9;
constexpr int kRun = 32;  // steps that a thread goes along

// out[b][t][c] = sum over k of weight[c][k] x[b][t + k - (taps - 1)][c]; mirrored: out[t] = sum of weight[k] x[t + (taps - 1) - k].
template <bool kMirrored>
__global__ void convolve(const __nv_bfloat162* x, const float* weight, __nv_bfloat162* out, int steps, int pairs) {
    const int c = threadIdx.x, b = blockIdx.y, first = blockIdx.x * kRun;
    float2 w[kTaps], window[kTaps];
    for (int k = 0; k < kTaps; ++k) {
        const int tap = kMirrored ? kTaps - 1 - k : k;
        w[k] = make_float2(weight[2 * c * kTaps + tap], weight[(2 * c + 1) * kTaps + tap]);
    }
    const __nv_bfloat162* from = x + (size_t)b * steps * pairs + c;
    __nv_bfloat162* to = out + (size_t)b * steps * pairs + c;
    const int begin = kMirrored ? first : first - (kTaps - 1);
#pragma unroll
    for (int k = 0; k < kTaps - 1; ++k) {
        const int t = begin + k;
        window[k] = t >= 0 && t < steps ? __bfloat1622float2(from[(size_t)t * pairs]) : make_float2(0.0f, 0.0f);
    }
    for (int run = 0; run < kRun && first + run < steps; ++run) {
        const int t = begin + kTaps - 1 + run;
        window[kTaps - 1] = t < steps ? __bfloat1622float2(from[(size_t)t * pairs]) : make_float2(0.0f, 0.0f);
        float2 sum = make_float2(0.0f, 0.0f);
#pragma unroll
        for (int k = 0; k < kTaps; ++k) {
            sum.x += w[k].x * window[k].x;
            sum.y += w[k].y * window[k].y;
        }
        to[(size_t)(first + run) * pairs] = __float22bfloat162_rn(sum);
#pragma unroll
        for (int k = 0; k < kTaps - 1; ++k) window[k] = window[k + 1];
    }
}

constexpr int kLongRun = 128;

// gradient[c][k] += sum over b and t of dy[b][t][c] x[b][t + k - (taps - 1)][c]
__global__ void weigh(const __nv_bfloat162* x, const __nv_bfloat162* dy, float* gradient, int steps, int pairs) {
    const int c = threadIdx.x, b = blockIdx.y, first = blockIdx.x * kLongRun;
    float2 sums[kTaps], window[kTaps];
    const __nv_bfloat162* from = x + (size_t)b * steps * pairs + c;
    const __nv_bfloat162* back = dy + (size_t)b * steps * pairs + c;
#pragma unroll
    for (int k = 0; k < kTaps; ++k) sums[k] = make_float2(0.0f, 0.0f);
#pragma unroll
    for (int k = 0; k < kTaps - 1; ++k) {
        const int t = first - (kTaps - 1) + k;
        window[k] = t >= 0 && t < steps ? __bfloat1622float2(from[(size_t)t * pairs]) : make_float2(0.0f, 0.0f);
    }
    for (int t = first; t < first + kLongRun && t < steps; ++t) {
        window[kTaps - 1] = __bfloat1622float2(from[(size_t)t * pairs]);
        const float2 d = __bfloat1622float2(back[(size_t)t * pairs]);
#pragma unroll
        for (int k = 0; k < kTaps; ++k) {
            sums[k].x += d.x * window[k].x;
            sums[k].y += d.y * window[k].y;
        }
#pragma unroll
        for (int k = 0; k < kTaps - 1; ++k) window[k] = window[k + 1];
    }
#pragma unroll
    for (int k = 0; k < kTaps; ++k) {
        atomicAdd(gradient + 2 * c * kTaps + k, sums[k].x);
        atomicAdd(gradient + (2 * c + 1) * kTaps + k, sums[k].y);
    }
}

}  // namespace

extern "C" {

int denominator_forward(const float* log_probs, const int* lengths, const float* follows, float* alpha, float* sums, float* totals,
                        int batch, int steps, cudaStream_t stream) {
    const int size = kPairs * kRow * sizeof(__half) + (4 * kUnits * kPad + 2 * kUnits + 4) * sizeof(float);
    cudaFuncSetAttribute(forward, cudaFuncAttributeMaxDynamicSharedMemorySize, size);
    forward<<<batch, kForwardThreads, size, stream>>>(log_probs, lengths, follows, alpha, sums, totals, batch, steps);
    return cudaGetLastError();
}

int denominator_backward(const float* log_probs, const int* lengths, const float* follows, const float* alpha, const float* sums,
                         float* occupancy, int batch, int steps, cudaStream_t stream) {
    const int size = kPairs * kRow * sizeof(__half) + (3 * kUnits * kPad + 2 * kUnits + 4) * sizeof(float);
    cudaFuncSetAttribute(backward, cudaFuncAttributeMaxDynamicSharedMemorySize, size);
    backward<<<batch, kBackwardThreads, size, stream>>>(log_probs, lengths, follows, alpha, sums, occupancy, batch, steps);
    return cudaGetLastError();
}

int depthwise(const void* x, const float* weight, void* out, int batch, int steps, int channels, int mirrored, cudaStream_t stream) {
    const dim3 grid((steps + kRun - 1) / kRun, batch);
    const auto from = static_cast<const __nv_bfloat162*>(x);
    const auto to = static_cast<__nv_bfloat162*>(out);
    if (mirrored)
        convolve<true><<<grid, channels / 2, 0, stream>>>(from, weight, to, steps, channels / 2);
    else
        convolve<false><<<grid, channels / 2, 0, stream>>>(from, weight, to, steps, channels / 2);
    return cudaGetLastError();
}

int depthwise_weight(const void* x, const void* dy, float* gradient, int batch, int steps, int channels, cudaStream_t stream) {
    const dim3 grid((steps + kLongRun - 1) / kLongRun, batch);
    weigh<<<grid, channels / 2, 0, stream>>>(static_cast<const __nv_bfloat162*>(x), static_cast<const __nv_bfloat162*>(dy), gradient,
                                             steps, channels / 2);
    return cudaGetLastError();
}

}  // extern "C"
