// How the blocks of a decode launch tell each other what they computed, without a grid barrier.
// It knows words, numbers and waiting; it does not know what the vectors are. A word has 8 bytes
// and is whole or old. It says which: words of a vector hold two values, whose lowest bits are the
// number of the exchange modulo 4; other words hold one value and its number. So no fence is
// needed. A buffer is written again only after an exchange in which every block takes part, so that
// nobody overtakes a reader.

enum {
    WARPS = THREADS / 32,
    IN_FLIGHT = 2048 / THREADS,  // 16-byte loads of a thread
    MAX_SPINS = 1 << 22,         // some seconds: a token takes less than a thousandth of that
    E_X = 0,
    E_U = ROW_D / 2,
    E_S = ROW_D,
    E_SLOT = ROW_D + ROW_I / 2,  // one a warp with rows of the mixer: sum of squares of g
    E_BEST = E_SLOT + 4096,      // two a block: largest logit, its id
    E_COUNT = E_BEST + 8192,     // blocks that have published, over all exchanges
};

#define PAIRS(n) CDIV(CDIV(n, 2), THREADS)

// A value with a number of its own, where there are few.
static __device__ void publish(u64 *word, float v, u32 epoch) {
    asm volatile("st.volatile.global.v2.u32 [%0], {%1, %2};" ::"l"(word), "r"(__float_as_uint(v)),
                 "r"(epoch)
                 : "memory");
}

static __device__ uint4 peek(const u64 *words) {
    uint4 w;
    asm volatile("ld.volatile.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(w.x), "=r"(w.y), "=r"(w.z), "=r"(w.w)
                 : "l"(words)
                 : "memory");
    return w;
}

// Tells that this block has published. Its words may still be on their way: what is counted only
// says when looking for them is worth while, as looking all the time would hold them up.
static __device__ void arrive(u64 *exchange) {
    if (!threadIdx.x)
        asm volatile("red.relaxed.gpu.global.add.u32 [%0], 1;" ::"l"(exchange + E_COUNT)
                     : "memory");
}

// Returns when every block has arrived at this epoch; one thread of a block looks.
static __device__ void expect(const u64 *exchange, u32 epoch) {
    if (threadIdx.x == THREADS - 1) {
        u32 arrived, wanted = epoch * gridDim.x;
#pragma unroll 1
        for (int spins = 0;; spins++) {
            asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];"
                         : "=r"(arrived)
                         : "l"(exchange + E_COUNT)
                         : "memory");
            if ((int)(arrived - wanted) >= 0) break;
            if (spins > MAX_SPINS) __trap();
        }
    }
    __syncthreads();
}

// Two such values. A block that is lost would keep the others waiting for ever: trap.
static __device__ uint4 await(const u64 *words, u32 epoch, bool both, uint4 w) {
#pragma unroll 1
    for (int spins = 0; w.y != epoch || (both && w.w != epoch); spins++) {
        if (spins > MAX_SPINS) __trap();
        w = peek(words);
    }
    return w;
}

static __device__ uint2 peek_pair(const u64 *word) {
    uint2 w;
    asm volatile("ld.volatile.global.v2.u32 {%0, %1}, [%2];"
                 : "=r"(w.x), "=r"(w.y)
                 : "l"(word)
                 : "memory");
    return w;
}

// f(j, v[k], v[k + 1]) for all pairs of a published vector of N values, shared by the threads.
template <int N, class F>
static __device__ __forceinline__ void gather(const u64 *from, u32 tag, F f) {
    uint2 w[PAIRS(N)];
#pragma unroll
    for (int j = 0; j < PAIRS(N); j++) {
        int pair = threadIdx.x + j * THREADS;
        if (2 * pair < N) w[j] = peek_pair(from + pair);
    }
#pragma unroll
    for (int j = 0; j < PAIRS(N); j++) {
        int pair = threadIdx.x + j * THREADS;
        if (2 * pair >= N) continue;
#pragma unroll 1
        for (int spins = 0; (w[j].x ^ tag) & 1 || (w[j].y ^ tag >> 1) & 1; spins++) {
            if (spins > MAX_SPINS) __trap();
            w[j] = peek_pair(from + pair);
        }
        f(j, __uint_as_float(w[j].x & ~1u), __uint_as_float(w[j].y & ~1u));
    }
}
