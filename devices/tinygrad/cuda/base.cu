// Sizes, layouts and small tools that all CUDA kernels of this folder share.
// It knows where a tensor lies on the device (layout.py states the same) and how a block adds
// up; it does not know the order of operations. A prefix defines, for one model and one card:
// WIDTH, INNER, VOCAB (sizes), LAYERS, EPS, THREADS (of a decode block) and STAGES (of a product).

typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define CDIV(a, b) (((a) + (b) - 1) / (b))
#define LOWEST __int_as_float(0xff800000)  // minus infinity
#define INNER_EPS 1e-6f  // inside BitLinear, whatever the model's own eps

enum {
    COLUMNS = 256,  // of one packed block: 64 bytes a row, four rows a group
    BLOCKS_D = CDIV(WIDTH, COLUMNS),
    BLOCKS_I = CDIV(INNER, COLUMNS),
    GROUPS_D = CDIV(WIDTH, 4),
    GROUPS_I = CDIV(INNER, 4),
    GROUPS_V = CDIV(VOCAB, 4),
    ROW_D = BLOCKS_D * COLUMNS,  // a row of activations, padded
    ROW_I = BLOCKS_I * COLUMNS,
    ROW_Q = 3 * ROW_D > ROW_I ? 3 * ROW_D : ROW_I,
};

// A layer's matrices, one after the other: i, f, g, o, both halves of the gate, down.
#define SQUARE ((i64)GROUPS_D * BLOCKS_D * COLUMNS)
#define HALF ((i64)GROUPS_I * BLOCKS_D * COLUMNS)
#define DOWN ((i64)GROUPS_D * BLOCKS_I * COLUMNS)
#define LAYER_PLANES (4 * SQUARE + 2 * HALF + DOWN)

// A layer's vectors, zero beyond their length; the head has its outer and inner norm and its step.
enum {
    V_ATTN = 0,
    V_I = ROW_D,
    V_F = 2 * ROW_D,
    V_G = 3 * ROW_D,
    V_BOUND = 4 * ROW_D,
    V_GNORM = 5 * ROW_D,
    V_O = 6 * ROW_D,
    V_MLP = 7 * ROW_D,
    V_GATE = 8 * ROW_D,
    V_DOWN = 9 * ROW_D,
    V_STEPS = 9 * ROW_D + ROW_I,  // of i, f, g, o, gate, down
    LAYER_VECTORS = V_STEPS + 64,
    H_NORM = 0,
    H_INNER = ROW_D,
    H_STEP = 2 * ROW_D,
};

typedef struct {
    const u8 *planes;     // all layers, then the head
    const float *vectors; // likewise
    const u8 *embed;      // [V, d] in the host's memory: int8, fp16 or fp32 (kind 0, 1, 2)
    const float *embed_scale;
    float *state;    // [slots, L, ROW_D]
    u64 *exchange;   // what decode blocks tell each other
    float *x;        // [T, ROW_D] residual
    float *y;        // [3, T, ROW_D] of i, f, g; then [T, ROW_I] of the gate
    i8 *q;           // [3, T, ROW_D] or [T, ROW_I]
    float *worth;    // [3, T]: what one step of q is worth
    int *sum;        // [3, T]: sums of q
    const int *ids;  // in the host's memory
    int *picked;     // in the host's memory: the best id after each token
    float *logits;   // [T, V]
    const int *live; // [slots] of a batch: whether a session uses it
    i64 kind;
} Args;

static __device__ const float *layer_vectors(const Args &a, int layer) {
    return a.vectors + (i64)layer * LAYER_VECTORS;
}
static __device__ const u8 *layer_planes(const Args &a, int layer) {
    return a.planes + (i64)layer * LAYER_PLANES;
}

static __device__ float embedding(const Args &a, int id, int k) {
    i64 at = (i64)id * WIDTH + k;
    if (a.kind == 0) return (float)((const i8 *)a.embed)[at] * a.embed_scale[id];
    if (a.kind == 2) return ((const float *)a.embed)[at];
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(((const u16 *)a.embed)[at]));
    return value;
}

static __device__ float sigmoid(float x) { return __fdividef(1.0f, 1.0f + expf(-x)); }
static __device__ float silu(float x) { return __fdividef(x, 1.0f + expf(-x)); }

// A token id as an index, whatever a damaged model made of it.
static __device__ int safe_id(int id) { return id < 0 || id >= VOCAB ? 0 : id; }

static __device__ float warp_sum(float v) {
#pragma unroll
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(~0u, v, o);
    return v;
}

static __device__ int warp_sum_int(int v) {
#if __CUDA_ARCH__ >= 800
    return __reduce_add_sync(~0u, v);
#else
#pragma unroll
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(~0u, v, o);
    return v;
#endif
}

// The largest of values that are 0 or more: their bits order as they do.
static __device__ float warp_max(float v) {
#if __CUDA_ARCH__ >= 800
    return __uint_as_float(__reduce_max_sync(~0u, __float_as_uint(v)));
#else
#pragma unroll
    for (int o = 16; o; o >>= 1) v = fmaxf(v, __shfl_xor_sync(~0u, v, o));
    return v;
#endif
}

// Sums (the first S) and maxima (the other M) over a block of W warps, in a fixed order; every
// thread gets them. `part` holds (S + M) * 32 floats and is free again after the next barrier.
template <int S, int M, int W>
static __device__ void block_reduce(float (&v)[S + M], float *part) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
#pragma unroll
    for (int n = 0; n < S + M; n++) {
        float r = n < S ? warp_sum(v[n]) : warp_max(v[n]);
        if (!lane) part[n * 32 + warp] = r;
    }
    __syncthreads();
#pragma unroll
    for (int n = 0; n < S + M; n++) {
        // Every W lanes hold all warps' parts, so fewer steps add them up. W is a power of two.
        float r = part[n * 32 + lane % W];
        if (n >= S) {
            v[n] = warp_max(r);
        } else {
#pragma unroll
            for (int o = W / 2; o; o >>= 1) r += __shfl_xor_sync(~0u, r, o);
            v[n] = r;
        }
    }
}

// What follows from the sums of a vector that was normalised twice: x by eps, then x * weight by
// INNER_EPS. Returns the factor of x * weight * inner.
static __device__ float norm_twice(float squares, float weighted, float count) {
    float share = 1.0f / count, outer = rsqrtf(squares * share + EPS);
    return outer * rsqrtf(outer * outer * (weighted * share) + INNER_EPS);
}

// Two neighbours, times `scale` rounded to int8 (halves to even), and their sum. Adding 1.5 * 2^23
// leaves the rounded value in the low bits; |a * scale| <= 127.
static __device__ int store_pair(i8 *q, float a, float b, float scale) {
    u32 x = __float_as_uint(fmaf(a, scale, 12582912.0f));
    u32 y = __float_as_uint(fmaf(b, scale, 12582912.0f));
    u32 both = __byte_perm(x, y, 0x0040);
    *(u16 *)q = (u16)both;
    return (i8)both + (i8)(both >> 8);
}
