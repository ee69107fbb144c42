// What a decode block owns of every matrix, how it gets there, and its exact sums.
// It knows groups of four packed rows and shared memory; it does not know layers.

// Whether weights come into shared memory by bulk copies, a phase ahead, in two buffers of BUFFER
// bytes. Loads of them into registers would hold up the exchange: loads return in order.
#define STORED (BUFFER > 0 && __CUDA_ARCH__ >= 900)

typedef struct {
    u64 full[2];  // barriers: the buffer holds what was asked for
    alignas(16) i8 q[ROW_Q];
    float part[5 * 32];
    int sum[2][4];   // of q, by phase: one is in use while the other is cleared
    float best[64];  // of each warp: largest logit, then ids
    int id;
} Fixed;

// Groups of four rows that one block owns.
typedef struct {
    int from, units;
} Share;

static __device__ Share share(int groups) {
    int from = blockIdx.x * groups / gridDim.x;
    return {from, (int)((blockIdx.x + 1) * groups / gridDim.x) - from};
}

typedef struct {
    Fixed *s;
    int *acc;              // [units * matrices * 4]
    u32 epoch;             // exchanges so far
    u32 x_tag, layer_tag;  // of the residual's last exchange, and of u and s
    int phase;
    int stored;   // buffers used so far
    u32 buffers;  // shared address of the first
    Share width, inner, vocab;
} Block;

// Whether this thread finishes a row of the block's groups; a last group may have rows too many.
static __device__ bool in_share(Share own) { return threadIdx.x < own.units * 4; }

// Which row that is; -1 for none.
static __device__ int own_row(Share own, int rows) {
    int k = own.from * 4 + threadIdx.x;
    return in_share(own) && k < rows ? k : -1;
}

#if STORED
static __device__ u32 shared_address(const void *p) { return (u32)__cvta_generic_to_shared(p); }

static __device__ void await_buffer(const Block &b) {
    u32 barrier = shared_address(b.s->full + (b.stored & 1)), done;
    do {
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; "
                     "selp.u32 %0, 1, 0, p; }"
                     : "=r"(done)
                     : "r"(barrier), "r"(b.stored >> 1 & 1)
                     : "memory");
    } while (!done);
}
#endif

// Asks for the rows of M matrices that buffer number `turn` shall hold, in up to three parts. Asked
// for all at once, many bytes fill every queue of the memory, and the exchange waits behind them.
enum { PARTS = BUFFER < 24 << 10 ? 1 : BUFFER < 48 << 10 ? 2 : 3 };
template <int M, int KB> struct Ahead {
    const u8 *matrix;
    u32 distance;
    Share own;
    int turn, part;  // a negative turn asks for nothing

    // The next part. Nobody may still be reading the buffer when the first one is asked for.
    __device__ void more(const Block &b) {
#if STORED
        if (threadIdx.x == THREADS - 64 && turn >= 0 && part < PARTS) {
            u32 barrier = shared_address(b.s->full + (turn & 1)), group = KB * COLUMNS;
            u32 to = b.buffers + (turn & 1) * BUFFER;
            if (!part)
                asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                                 barrier),
                             "r"(M * own.units * group)
                             : "memory");
            u32 first = own.units * part / PARTS, units = own.units * (part + 1) / PARTS - first;
#pragma unroll
            for (int m = 0; m < M; m++)
                if (units)
                    asm volatile(
                        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
                        "[%0], [%1], %2, [%3];" ::"r"(to + (m * own.units + first) * group),
                        "l"(matrix + (own.from + first) * group + m * distance),
                        "r"(units * group), "r"(barrier)
                        : "memory");
        }
        part++;
#endif
    }
    __device__ void all(const Block &b) {
        while (part < PARTS) more(b);
    }
};

// The packed rows of one block in M matrices of KB blocks a row, cut evenly for the warps. LOCAL:
// they are in the buffer whose turn it is.
template <int M, int KB, bool LOCAL> struct Rows {
    static const int CHUNKS = CDIV(KB, 2);  // of 512 bytes: 16 a lane, two blocks of four rows
    const u8 *base;
    u32 place, apart;
    int first, last;
    uint4 w[LOCAL ? 1 : IN_FLIGHT];

    // Where unit 0 starts and how far apart the matrices are; the first loads leave at once.
    __device__ void begin(const Block &b, const u8 *matrix, u32 distance, Share own) {
        int items = own.units * M * CHUNKS, warp = threadIdx.x >> 5;
        first = warp * items / WARPS;
        last = (warp + 1) * items / WARPS;
        if (LOCAL) {
            place = b.buffers + (b.stored & 1) * BUFFER + (threadIdx.x & 31) * 16;
            apart = own.units * (KB * COLUMNS);
            return;
        }
        base = matrix + (u32)own.from * (KB * COLUMNS) + (threadIdx.x & 31) * 16;
        apart = distance;
#pragma unroll
        for (int j = 0; j < IN_FLIGHT; j++) w[j] = load(first + j);
    }
    __device__ uint4 load(int item) const {
        u32 t = (u32)item / CHUNKS, chunk = (u32)item % CHUNKS;
        u32 offset = t % M * apart + (t / M * KB + chunk * 2) * COLUMNS;
        uint4 v = make_uint4(0, 0, 0, 0);
        bool there = item < last;
        if (KB % 2) there = there && chunk * 2 + ((threadIdx.x & 31) >> 4) < KB;
        if (there && LOCAL)
            asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                         : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                         : "r"(place + offset));
        if (there && !LOCAL)
            asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                         : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                         : "l"(base + offset));
        return v;
    }
    // acc[(unit * M + m) * 4 + row] += sum of digits times q; q of matrix m starts at m * step.
    __device__ void multiply(Block &b, int step) {
#if STORED
        if (LOCAL) await_buffer(b), b.stored++;
#endif
        const int TURN = LOCAL ? 1 : IN_FLIGHT;
        int lane = threadIdx.x & 31, a[4] = {0, 0, 0, 0};
        const i8 *q = b.s->q + (lane >> 4) * COLUMNS + (lane & 3) * 16;
#pragma unroll 1
        for (int start = first; start < last; start += TURN) {
#pragma unroll
            for (int j = 0; j < TURN; j++) {
                int item = start + j;
                if (item >= last) break;
                int t = item / CHUNKS, chunk = item % CHUNKS;
                const i8 *x = q + t % M * step + chunk * 2 * COLUMNS;
                if (LOCAL) w[0] = load(item);
#pragma unroll
                for (int plane = 0; plane < 4; plane++) {
                    uint4 v = *(const uint4 *)(x + plane * 64);
                    u32 mask = 0x03030303u << 2 * plane;
                    a[plane] = dot(w[j].x & mask, v.x, a[plane]);
                    a[plane] = dot(w[j].y & mask, v.y, a[plane]);
                    a[plane] = dot(w[j].z & mask, v.z, a[plane]);
                    a[plane] = dot(w[j].w & mask, v.w, a[plane]);
                }
                if (!LOCAL) w[j] = load(item + IN_FLIGHT);
                if (chunk + 1 == CHUNKS || item + 1 == last) {
                    // A plane's digits were left where they lie, so its sum is 4^plane too large.
                    int y = a[0] + (a[1] >> 2) + (a[2] >> 4) + (a[3] >> 6);
                    y += __shfl_xor_sync(~0u, y, 1);
                    y += __shfl_xor_sync(~0u, y, 2);
                    y += __shfl_xor_sync(~0u, y, 16);
                    if (!(lane & 19)) atomicAdd(b.acc + t * 4 + (lane >> 2), y);
                    a[0] = a[1] = a[2] = a[3] = 0;
                }
            }
        }
        __syncthreads();
    }
    static __device__ int dot(u32 digits, u32 x, int sum) {
        int r;
        asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(digits), "r"(x), "r"(sum));
        return r;
    }
};
