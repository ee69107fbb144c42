// Everything of a prompt or a batch that is no matrix product: norms, gates, recurrence, choice.
// It knows rows of activations, one block (or warp) a token; it does not know how rows multiply.
// In a prompt the T rows are one session's tokens in order; in a batch they are sessions' tokens.

enum { ROW_THREADS = 256, SCAN = 16 };  // SCAN: tokens a warp takes in a prompt

// Two neighbours a thread at a time: f(j, k) for all pairs of a row of N.
#define EACH_PAIR(N, j, k)                                              \
    _Pragma("unroll") for (int j = 0; j < CDIV(N, 2 * ROW_THREADS); j++) \
        if (int k = 2 * (threadIdx.x + j * ROW_THREADS); k < N)

// Writes one token's int8 row, its sum and a step's worth as input `m` of a product. v holds this
// thread's pairs times all weights; factor is what the norms multiply them by.
template <int N, int ROW>
static __device__ void store_row(const Args &a, int m, int tokens, const float2 *v, float factor,
                                 float largest, int *sums) {
    float top = fmaxf(largest * factor, 1e-5f), scale = factor * __fdividef(127.0f, top);
    i64 token = (i64)m * tokens + blockIdx.x;
    i8 *q = a.q + token * ROW;
    int sum = 0;
#pragma unroll
    for (int j = 0; j < CDIV(ROW, 2 * ROW_THREADS); j++) {
        int k = 2 * (threadIdx.x + j * ROW_THREADS);
        if (k < N) sum += store_pair(q + k, v[j].x, v[j].y, scale);
        else if (k < ROW) *(u16 *)(q + k) = 0;
    }
    sum = warp_sum_int(sum);
    if (!(threadIdx.x & 31)) atomicAdd(sums + m, sum);
    __syncthreads();
    if (!threadIdx.x) a.sum[token] = sums[m], a.worth[token] = top * (1.0f / 127.0f);
}

#define ROW_SHARED                 \
    __shared__ float part[5 * 32]; \
    __shared__ int sums[3];        \
    if (threadIdx.x < 3) sums[threadIdx.x] = 0;

// x <- the embedding of each token, zero beyond its width.
extern "C" __global__ void __launch_bounds__(ROW_THREADS)
edge_embed(const __grid_constant__ Args a, int tokens) {
    int id = safe_id(a.ids[blockIdx.x]);
    for (int k = threadIdx.x; k < ROW_D; k += ROW_THREADS)
        a.x[(i64)blockIdx.x * ROW_D + k] = k < WIDTH ? embedding(a, id, k) : 0.0f;
}

// x -> the three inputs of the mixer's i, f and g.
extern "C" __global__ void __launch_bounds__(ROW_THREADS)
edge_rows_mixer(const __grid_constant__ Args a, int layer, int tokens) {
    ROW_SHARED
    const float *w = layer_vectors(a, layer), *x = a.x + (i64)blockIdx.x * ROW_D;
    float2 y[3][CDIV(ROW_D, 2 * ROW_THREADS)];
    float r[5] = {0, 0, 0, 0, 0};
    EACH_PAIR(WIDTH, j, k) {
        float2 v = *(const float2 *)(x + k), u = *(const float2 *)(w + V_ATTN + k);
        r[0] += v.x * v.x + v.y * v.y;
        v.x *= u.x, v.y *= u.y;
        r[1] += v.x * v.x + v.y * v.y;
#pragma unroll
        for (int m = 0; m < 3; m++) {
            u = *(const float2 *)(w + V_I + m * ROW_D + k);
            y[m][j] = make_float2(v.x * u.x, v.y * u.y);
            r[2 + m] = fmaxf(r[2 + m], fmaxf(fabsf(y[m][j].x), fabsf(y[m][j].y)));
        }
    }
    block_reduce<2, 3, ROW_THREADS / 32>(r, part);
    float factor = norm_twice(r[0], r[1], WIDTH);
#pragma unroll
    for (int m = 0; m < 3; m++)
        store_row<WIDTH, ROW_D>(a, m, tokens, y[m], factor, r[2 + m], sums);
}

// x -> the input of a product with an outer and an inner norm; the head takes row `first` on.
static __device__ void rows_residual(const Args &a, const float *outer, const float *inner,
                                     int first, int tokens) {
    ROW_SHARED
    const float *x = a.x + (i64)(first + blockIdx.x) * ROW_D;
    float2 y[CDIV(ROW_D, 2 * ROW_THREADS)];
    float r[3] = {0, 0, 0};
    EACH_PAIR(WIDTH, j, k) {
        float2 v = *(const float2 *)(x + k), u = *(const float2 *)(outer + k);
        r[0] += v.x * v.x + v.y * v.y;
        v.x *= u.x, v.y *= u.y;
        r[1] += v.x * v.x + v.y * v.y;
        u = *(const float2 *)(inner + k);
        y[j] = make_float2(v.x * u.x, v.y * u.y);
        r[2] = fmaxf(r[2], fmaxf(fabsf(y[j].x), fabsf(y[j].y)));
    }
    block_reduce<2, 1, ROW_THREADS / 32>(r, part);
    store_row<WIDTH, ROW_D>(a, 0, tokens, y, norm_twice(r[0], r[1], WIDTH), r[2], sums);
}

extern "C" __global__ void __launch_bounds__(ROW_THREADS)
edge_rows_gate(const __grid_constant__ Args a, int layer, int tokens) {
    const float *w = layer_vectors(a, layer);
    rows_residual(a, w + V_MLP, w + V_GATE, 0, tokens);
}

extern "C" __global__ void __launch_bounds__(ROW_THREADS)
edge_rows_head(const __grid_constant__ Args a, int first, int tokens) {
    const float *w = layer_vectors(a, LAYERS);
    rows_residual(a, w + H_NORM, w + H_INNER, first, tokens);
}

// The gate's output -> the input of down.
extern "C" __global__ void __launch_bounds__(ROW_THREADS)
edge_rows_down(const __grid_constant__ Args a, int layer, int tokens) {
    ROW_SHARED
    const float *w = layer_vectors(a, layer) + V_DOWN, *s = a.y + (i64)blockIdx.x * ROW_I;
    float2 y[CDIV(ROW_I, 2 * ROW_THREADS)];
    float r[2] = {0, 0};
    EACH_PAIR(INNER, j, k) {
        float2 v = *(const float2 *)(s + k), u = *(const float2 *)(w + k);
        if (INNER % 2 && k + 1 == INNER) v.y = 0.0f;
        r[0] += v.x * v.x + v.y * v.y;
        y[j] = make_float2(v.x * u.x, v.y * u.y);
        r[1] = fmaxf(r[1], fmaxf(fabsf(y[j].x), fabsf(y[j].y)));
    }
    block_reduce<1, 1, ROW_THREADS / 32>(r, part);
    float factor = rsqrtf(r[0] * (1.0f / INNER) + INNER_EPS);
    store_row<INNER, ROW_I>(a, 0, tokens, y, factor, r[1], sums);
}

// i, f, g of a prompt -> h after every token, and u = g * weight * SiLU(h) in the place of i.
// A warp takes SCAN tokens of 32 channels: it composes them into one step, and once every warp has
// done so, goes through them again from the state that the ones before leave.
extern "C" __global__ void __launch_bounds__(1024)
edge_scan(const __grid_constant__ Args a, int layer, int tokens, int slot) {
    __shared__ float keep[32][32], add[32][32];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, k = blockIdx.x * 32 + lane;
    bool own = k < WIDTH;
    const float *w = layer_vectors(a, layer);
    float bound = own ? w[V_BOUND + k] : 0.0f, gnorm = own ? w[V_GNORM + k] : 0.0f;
    float *state = a.state + ((i64)slot * LAYERS + layer) * ROW_D + k;
    i64 matrix = (i64)tokens * ROW_D;
    float *y = a.y + (i64)warp * SCAN * ROW_D + k;
    float f[SCAN], c[SCAN], product = 1.0f, sum = 0.0f;
#pragma unroll
    for (int n = 0; n < SCAN; n++) {
        bool there = own && warp * SCAN + n < tokens;
        float i = there ? y[(i64)n * ROW_D] : 0.0f;
        float gate = there ? bound + (1.0f - bound) * sigmoid(y[matrix + (i64)n * ROW_D]) : 1.0f;
        f[n] = gate;
        c[n] = silu(i) * (1.0f - gate);
        product *= gate;
        sum = gate * sum + c[n];
    }
    keep[warp][lane] = product, add[warp][lane] = sum;
    __syncthreads();
    if (!warp) {
        float h = own ? *state : 0.0f;
        for (int n = 0; n < (int)blockDim.x / 32; n++) {
            float before = h;
            h = keep[n][lane] * h + add[n][lane];
            add[n][lane] = before;
        }
        if (own) *state = h;
    }
    __syncthreads();
    float h = add[warp][lane];
#pragma unroll
    for (int n = 0; n < SCAN; n++) {
        if (!own || warp * SCAN + n >= tokens) break;
        h = f[n] * h + c[n];
        y[(i64)n * ROW_D] = y[2 * matrix + (i64)n * ROW_D] * gnorm * silu(h);
    }
}

// One step of every session of a batch, then the input of o; of a prompt (`after_scan`) the latter.
extern "C" __global__ void __launch_bounds__(ROW_THREADS)
edge_rows_output(const __grid_constant__ Args a, int layer, int tokens, int after_scan) {
    ROW_SHARED
    const float *w = layer_vectors(a, layer);
    i64 matrix = (i64)tokens * ROW_D;
    const float *y = a.y + (i64)blockIdx.x * ROW_D;
    float *state = a.state + ((i64)blockIdx.x * LAYERS + layer) * ROW_D;
    bool live = after_scan || a.live[blockIdx.x];
    float2 v[CDIV(ROW_D, 2 * ROW_THREADS)];
    float r[3] = {0, 0, 0};
    EACH_PAIR(WIDTH, j, k) {
        float u[2] = {0, 0};
#pragma unroll
        for (int n = 0; n < 2; n++) {
            if (k + n >= WIDTH) continue;
            float g = y[2 * matrix + k + n];
            r[0] += g * g;
            if (after_scan) {
                u[n] = y[k + n];
            } else {
                float bound = w[V_BOUND + k + n];
                float f = bound + (1.0f - bound) * sigmoid(y[matrix + k + n]);
                float h = f * state[k + n] + silu(y[k + n]) * (1.0f - f);
                if (live) state[k + n] = h;
                u[n] = g * w[V_GNORM + k + n] * silu(h);
            }
            r[1] += u[n] * u[n];
        }
        float2 inner = *(const float2 *)(w + V_O + k);
        v[j] = make_float2(u[0] * inner.x, u[1] * inner.y);
        r[2] = fmaxf(r[2], fmaxf(fabsf(v[j].x), fabsf(v[j].y)));
    }
    block_reduce<2, 1, ROW_THREADS / 32>(r, part);
    store_row<WIDTH, ROW_D>(a, 0, tokens, v, norm_twice(r[0], r[1], WIDTH), r[2], sums);
}

// picked[row] <- the lowest id of the largest logit of each row.
extern "C" __global__ void __launch_bounds__(1024)
edge_best(const __grid_constant__ Args a, int tokens) {
    __shared__ float values[32];
    __shared__ int ids[32];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, id = VOCAB;
    const float *logits = a.logits + (i64)blockIdx.x * VOCAB;
    float best = LOWEST;
    for (int n = threadIdx.x; n < VOCAB; n += 1024)
        if (better(logits[n], n, best, id)) best = logits[n], id = n;
    warp_best(best, id);
    if (!lane) values[warp] = best, ids[warp] = id;
    __syncthreads();
    if (warp) return;
    best = values[lane], id = ids[lane];
    warp_best(best, id);
    if (!lane) a.picked[blockIdx.x] = safe_id(id);
}
