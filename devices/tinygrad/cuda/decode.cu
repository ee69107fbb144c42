// One token after the other for one session: a single launch, one block on every multiprocessor.
// It knows the order of operations of a token; model.py states the same mathematics in graph ops.
// Every block computes the norms and the int8 vector that its rows are multiplied with, finishes
// its rows and publishes them (exchange.cu): four exchanges a layer.

// This thread's pairs of a constant vector, fetched before the wait.
template <int N> struct Pairs {
    float2 v[PAIRS(N)];
    __device__ void load(const float *from) {
#pragma unroll
        for (int j = 0; j < PAIRS(N); j++) {
            int k = 2 * (threadIdx.x + j * THREADS);
            v[j] = k < N ? __ldg((const float2 *)(from + k)) : make_float2(0, 0);
        }
    }
};

// q <- Q inputs, each the pairs times `factor`, rounded; their sums go to sum[phase]. worth <- what
// a step of each is worth.
template <int N, int ROW, int Q>
static __device__ void quantise(const Block &b, Pairs<N> (&v)[Q], float factor,
                                const float *largest, float (&worth)[Q]) {
    int sum[Q];
#pragma unroll
    for (int m = 0; m < Q; m++) {
        float top = fmaxf(largest[m] * factor, 1e-5f), scale = factor * __fdividef(127.0f, top);
        worth[m] = top * (1.0f / 127.0f);
        sum[m] = 0;
#pragma unroll
        for (int j = 0; j < PAIRS(N); j++) {
            int k = 2 * (threadIdx.x + j * THREADS);
            if (k < N) sum[m] += store_pair(b.s->q + m * ROW + k, v[m].v[j].x, v[m].v[j].y, scale);
        }
        if (CDIV(N, 2) * 2 < ROW)
            for (int k = CDIV(N, 2) * 2 + threadIdx.x; k < ROW; k += THREADS)
                b.s->q[m * ROW + k] = 0;
    }
#pragma unroll
    for (int m = 0; m < Q; m++) {
        sum[m] = warp_sum_int(sum[m]);
        if ((threadIdx.x & 31) == m) atomicAdd(&b.s->sum[b.phase & 1][m], sum[m]);
    }
    __syncthreads();
}

// The exact product of one row, which is then cleared for the next phase.
static __device__ float take(const Block &b, int index, int m, float worth) {
    int sum = b.acc[index] - b.s->sum[b.phase & 1][m];
    b.acc[index] = 0;
    return (float)sum * worth;
}

// After the barrier in block_reduce: nobody reads the other phase's sums any more.
static __device__ void clear_sums(const Block &b) {
    if (threadIdx.x < 4) b.s->sum[~b.phase & 1][threadIdx.x] = 0;
}

// Publishes the rows of a vector that this block owns: v of each thread in its share.
static __device__ void publish_rows(u64 *first, Share own, float v, u32 tag) {
    float next = __shfl_down_sync(~0u, v, 1);
    if (!in_share(own) || threadIdx.x & 1) return;
    asm volatile("st.volatile.global.v2.u32 [%0], {%1, %2};" ::"l"(first + own.from * 2 +
                                                                  threadIdx.x / 2),
                 "r"((__float_as_uint(v) & ~1u) | (tag & 1)),
                 "r"((__float_as_uint(next) & ~1u) | (tag >> 1 & 1))
                 : "memory");
}

// Blocks publish one sum a warp with own rows of the mixer.
static __device__ int slot_warps() { return CDIV(CDIV(GROUPS_D, (int)gridDim.x) * 4, 32); }

static __device__ __forceinline__ void mixer_inputs(const Args &a, Block &b, int layer) {
    const float *v = layer_vectors(a, layer);
    const u8 *planes = layer_planes(a, layer);
    Rows<3, BLOCKS_D, STORED> rows;
    Ahead<1, BLOCKS_D> ahead = {planes + 3 * SQUARE, 0, b.width, b.stored + 1, 0};
    ahead.more(b);
    rows.begin(b, planes, SQUARE, b.width);
    Pairs<WIDTH> outer, inner[3];
    outer.load(v + V_ATTN);
    inner[0].load(v + V_I), inner[1].load(v + V_F), inner[2].load(v + V_G);
    int k = own_row(b.width, WIDTH);
    float *state = a.state + (i64)layer * ROW_D + k;
    float bound = 0, gnorm = 0, hidden = 0, step[3] = {v[V_STEPS], v[V_STEPS + 1], v[V_STEPS + 2]};
    if (k >= 0) bound = v[V_BOUND + k], gnorm = v[V_GNORM + k], hidden = *state;

    float r[5] = {0, 0, 0, 0, 0};
    expect(a.exchange, b.epoch);
    ahead.more(b);
    gather<WIDTH>(a.exchange + E_X, b.x_tag, [&](int j, float p, float q) {
        r[0] += p * p + q * q;
        p *= outer.v[j].x, q *= outer.v[j].y;
        r[1] += p * p + q * q;
#pragma unroll
        for (int m = 0; m < 3; m++) {
            float2 &y = inner[m].v[j];
            y.x *= p, y.y *= q;
            r[2 + m] = fmaxf(r[2 + m], fmaxf(fabsf(y.x), fabsf(y.y)));
        }
    });
    ahead.more(b);
    block_reduce<2, 3, WARPS>(r, b.s->part);
    clear_sums(b);
    float worth[3];
    quantise<WIDTH, ROW_D>(b, inner, norm_twice(r[0], r[1], WIDTH), r + 2, worth);
    rows.multiply(b, ROW_D);

    b.epoch++, b.layer_tag++;
    float i = 0, f = 0, g = 0, u = 0;
    if (in_share(b.width)) {
        int at = (threadIdx.x >> 2) * 12 + (threadIdx.x & 3);
        i = take(b, at, 0, worth[0] * step[0]), f = take(b, at + 4, 1, worth[1] * step[1]);
        g = take(b, at + 8, 2, worth[2] * step[2]);
    }
    if (k >= 0) {
        f = bound + (1.0f - bound) * sigmoid(f);
        hidden = f * hidden + silu(i) * (1.0f - f);
        *state = hidden;
        u = g * gnorm * silu(hidden);
    }
    publish_rows(a.exchange + E_U, b.width, u, b.layer_tag);
    int warps = slot_warps(), warp = threadIdx.x >> 5;
    if (warp < warps) {
        float squares = warp_sum(k >= 0 ? g * g : 0.0f);
        if (!(threadIdx.x & 31))
            publish(a.exchange + E_SLOT + blockIdx.x * warps + warp, squares, b.epoch);
    }
    arrive(a.exchange);
    b.phase++;
}

static __device__ __forceinline__ float mixer_output(const Args &a, Block &b, int layer, float x) {
    const float *v = layer_vectors(a, layer);
    const u8 *planes = layer_planes(a, layer);
    Rows<1, BLOCKS_D, STORED> rows;
    Ahead<2, BLOCKS_D> ahead = {planes + 4 * SQUARE, HALF, b.inner, b.stored + 1, 0};
    ahead.more(b);
    rows.begin(b, planes + 3 * SQUARE, 0, b.width);
    Pairs<WIDTH> inner[1];
    inner[0].load(v + V_O);
    float step = v[V_STEPS + 3];

    float r[3] = {0, 0, 0};
    int slots = gridDim.x * slot_warps();
    const u64 *word = a.exchange + E_SLOT + 2 * threadIdx.x;
    uint4 pair = make_uint4(0, 0, 0, 0);
    expect(a.exchange, b.epoch);
    ahead.more(b);
    if (2 * threadIdx.x < slots) pair = peek(word);
    gather<WIDTH>(a.exchange + E_U, b.layer_tag, [&](int j, float p, float q) {
        r[1] += p * p + q * q;
        float2 &y = inner[0].v[j];
        y.x *= p, y.y *= q;
        r[2] = fmaxf(r[2], fmaxf(fabsf(y.x), fabsf(y.y)));
    });
    if (2 * threadIdx.x < slots) {
        bool both = 2 * threadIdx.x + 1 < slots;
        pair = await(word, b.epoch, both, pair);
        r[0] = __uint_as_float(pair.x) + (both ? __uint_as_float(pair.z) : 0.0f);
    }
    ahead.more(b);
    block_reduce<2, 1, WARPS>(r, b.s->part);
    clear_sums(b);
    float worth[1];
    quantise<WIDTH, ROW_D>(b, inner, norm_twice(r[0], r[1], WIDTH), r + 2, worth);
    rows.multiply(b, 0);

    b.epoch++, b.x_tag++;
    if (in_share(b.width)) x += take(b, threadIdx.x, 0, worth[0] * step);
    publish_rows(a.exchange + E_X, b.width, x, b.x_tag);
    arrive(a.exchange);
    b.phase++;
    return x;
}

// q <- the residual, normalised by `outer` and `inner` and quantised; returns a step's worth.
template <class A>
static __device__ float norm_residual(const Args &a, const Block &b, const Pairs<WIDTH> &outer,
                                      Pairs<WIDTH> (&inner)[1], A &ahead) {
    float r[3] = {0, 0, 0};
    expect(a.exchange, b.epoch);
    ahead.more(b);
    gather<WIDTH>(a.exchange + E_X, b.x_tag, [&](int j, float p, float q) {
        r[0] += p * p + q * q;
        p *= outer.v[j].x, q *= outer.v[j].y;
        r[1] += p * p + q * q;
        float2 &y = inner[0].v[j];
        y.x *= p, y.y *= q;
        r[2] = fmaxf(r[2], fmaxf(fabsf(y.x), fabsf(y.y)));
    });
    ahead.more(b);
    block_reduce<2, 1, WARPS>(r, b.s->part);
    clear_sums(b);
    float worth[1];
    quantise<WIDTH, ROW_D>(b, inner, norm_twice(r[0], r[1], WIDTH), r + 2, worth);
    return worth[0];
}

static __device__ __forceinline__ void channel_gate(const Args &a, Block &b, int layer) {
    const float *v = layer_vectors(a, layer);
    const u8 *planes = layer_planes(a, layer), *down = planes + 4 * SQUARE + 2 * HALF;
    Rows<2, BLOCKS_D, STORED> rows;
    Ahead<1, BLOCKS_I> ahead = {down, 0, b.width, b.stored + 1, 0};
    ahead.more(b);
    rows.begin(b, planes + 4 * SQUARE, HALF, b.inner);
    Pairs<WIDTH> outer, inner[1];
    outer.load(v + V_MLP), inner[0].load(v + V_GATE);
    float step = v[V_STEPS + 4];
    float worth = norm_residual(a, b, outer, inner, ahead) * step;
    rows.multiply(b, 0);

    b.epoch++;
    float s = 0;
    if (in_share(b.inner)) {
        int at = (threadIdx.x >> 2) * 8 + (threadIdx.x & 3);
        float gate = take(b, at, 0, worth), up = take(b, at + 4, 0, worth);
        s = silu(gate) * up;
    }
    publish_rows(a.exchange + E_S, b.inner, s, b.layer_tag);
    arrive(a.exchange);
    b.phase++;
}

// tell: whether anybody needs the residual. next: the layer that follows, -1 for none.
static __device__ __forceinline__ float channel_down(const Args &a, Block &b, int layer, float x,
                                                     bool tell, int next) {
    const float *v = layer_vectors(a, layer);
    Rows<1, BLOCKS_I, STORED> rows;
    Ahead<3, BLOCKS_D> ahead = {layer_planes(a, max(next, 0)), SQUARE, b.width,
                                next < 0 ? -1 : b.stored + 1, 0};
    ahead.more(b);
    rows.begin(b, layer_planes(a, layer) + 4 * SQUARE + 2 * HALF, 0, b.width);
    Pairs<INNER> inner[1];
    inner[0].load(v + V_DOWN);
    float step = v[V_STEPS + 5];

    float r[2] = {0, 0};
    expect(a.exchange, b.epoch);
    ahead.more(b);
    gather<INNER>(a.exchange + E_S, b.layer_tag, [&](int j, float p, float q) {
        r[0] += p * p + q * q;
        float2 &y = inner[0].v[j];
        y.x *= p, y.y *= q;
        r[1] = fmaxf(r[1], fmaxf(fabsf(y.x), fabsf(y.y)));
    });
    ahead.more(b);
    block_reduce<1, 1, WARPS>(r, b.s->part);
    clear_sums(b);
    float worth[1];
    quantise<INNER, ROW_I>(b, inner, rsqrtf(r[0] * (1.0f / INNER) + INNER_EPS), r + 1, worth);
    rows.multiply(b, 0);

    b.epoch++, b.x_tag++;
    if (in_share(b.width)) x += take(b, threadIdx.x, 0, worth[0] * step);
    if (tell) publish_rows(a.exchange + E_X, b.width, x, b.x_tag);
    arrive(a.exchange);
    b.phase++;
    return x;
}

static __device__ bool better(float v, int id, float best, int best_id) {
    return v > best || (v == best && id < best_id);
}

static __device__ void warp_best(float &v, int &id) {
#pragma unroll
    for (int o = 16; o; o >>= 1) {
        float other = __shfl_xor_sync(~0u, v, o);
        int other_id = __shfl_xor_sync(~0u, id, o);
        if (better(other, other_id, v, id)) v = other, id = other_id;
    }
}

// The logits (to `logits`, unless it is null) and the id of the largest, the same in every block.
static __device__ __forceinline__ int head(const Args &a, Block &b, float *logits) {
    const float *v = layer_vectors(a, LAYERS);
    Rows<1, BLOCKS_D, false> rows;
    rows.begin(b, layer_planes(a, LAYERS), 0, b.vocab);
    Pairs<WIDTH> outer, inner[1];
    outer.load(v + H_NORM), inner[0].load(v + H_INNER);
    float step = v[H_STEP];
    Ahead<1, 1> none = {0, 0, {0, 0}, -1, 0};
    float worth = norm_residual(a, b, outer, inner, none) * step;
    rows.multiply(b, 0);

    b.epoch++;
    int from = b.vocab.from * 4, id = VOCAB;
    float best = LOWEST;
#pragma unroll 1
    for (int n = threadIdx.x; n < b.vocab.units * 4; n += THREADS) {
        float value = take(b, n, 0, worth);
        if (from + n >= VOCAB) continue;
        if (logits) logits[from + n] = value;
        if (better(value, from + n, best, id)) best = value, id = from + n;
    }
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    warp_best(best, id);
    if (!lane) b.s->best[warp] = best, b.s->best[32 + warp] = __int_as_float(id);
    __syncthreads();
    if (!warp) {
        best = lane < WARPS ? b.s->best[lane] : LOWEST;
        id = lane < WARPS ? __float_as_int(b.s->best[32 + lane]) : VOCAB;
        warp_best(best, id);
        u64 *word = a.exchange + E_BEST;
        if (!lane) {
            publish(word + 2 * blockIdx.x, best, b.epoch);
            publish(word + 2 * blockIdx.x + 1, __int_as_float(id), b.epoch);
        }
        arrive(a.exchange);
        best = LOWEST, id = VOCAB;
#pragma unroll 1
        for (int n = lane; n < (int)gridDim.x; n += 32) {
            uint4 w = await(word + 2 * n, b.epoch, true, peek(word + 2 * n));
            if (better(__uint_as_float(w.x), (int)w.z, best, id))
                best = __uint_as_float(w.x), id = (int)w.z;
        }
        warp_best(best, id);
        if (!lane) b.s->id = safe_id(id);
    }
    __syncthreads();
    b.phase++;
    return b.s->id;
}

// memory: the two buffers, then the sums of the block's rows. All threads of a block call it.
static __device__ Block start(const Args &a, Fixed &fixed, u8 *memory, u32 before) {
    Block b = {&fixed, (int *)(memory + 2 * BUFFER), before * (4 * LAYERS + 2),
               before * (2 * LAYERS + 1), before * LAYERS, 0, 0,
               (u32)__cvta_generic_to_shared(memory),
               share(GROUPS_D), share(GROUPS_I), share(GROUPS_V)};
    int units = max(max(CDIV(GROUPS_D, (int)gridDim.x) * 3, CDIV(GROUPS_I, (int)gridDim.x) * 2),
                    CDIV(GROUPS_V, (int)gridDim.x));
    for (int n = threadIdx.x; n < units * 4; n += THREADS) b.acc[n] = 0;
    if (threadIdx.x < 8) fixed.sum[threadIdx.x >> 2][threadIdx.x & 3] = 0;
#if STORED
    if (threadIdx.x < 2)
        asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(
                         shared_address(fixed.full + threadIdx.x))
                     : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
    __syncthreads();
    return b;
}

// Feeds ids[0 .. given), then its own best ids until `total` tokens are fed. picked[n] is the best
// id after token given - 1 + n; the logits (if not null) are those after the last token.
// before: tokens that all launches with this exchange have fed. Every block must be resident at the
// same time, and none may be without a group: grid <= GROUPS_D.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
edge_decode(const __grid_constant__ Args a, int given, int total, u32 before) {
    extern __shared__ __align__(128) u8 shared[];
    __shared__ Fixed fixed;
    Block b = start(a, fixed, shared, before);
    Ahead<3, BLOCKS_D> ahead = {layer_planes(a, 0), SQUARE, b.width, 0, 0};
    if (STORED) ahead.all(b);
    int id = 0, k = own_row(b.width, WIDTH);
#pragma unroll 1
    for (int n = 0; n < total; n++) {
        if (n < given) id = safe_id(a.ids[n]);
        bool wanted = n + 1 >= given;
        float x = k >= 0 ? embedding(a, id, k) : 0.0f;
        b.epoch++, b.x_tag++;
        publish_rows(a.exchange + E_X, b.width, x, b.x_tag);
        arrive(a.exchange);
#pragma unroll 1
        for (int layer = 0; layer < LAYERS; layer++) {
            mixer_inputs(a, b, layer);
            x = mixer_output(a, b, layer, x);
            channel_gate(a, b, layer);
            bool end = layer + 1 == LAYERS;
            x = channel_down(a, b, layer, x, wanted || !end,
                             !end ? layer + 1 : n + 1 < total ? 0 : -1);
        }
        if (!wanted) {
            b.epoch++;  // every token takes part in as many exchanges
            arrive(a.exchange);
            continue;
        }
        id = head(a, b, n + 1 == total ? a.logits : 0);
        if (!blockIdx.x && !threadIdx.x) a.picked[n + 1 - given] = id;
    }
}
