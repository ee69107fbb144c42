// Products of many int8 rows with packed ternary matrices on the tensor cores, exact in int32.
// It knows two shapes of work: tiles of 128 rows x 128 tokens that share what they read (a prompt),
// and 32 rows x 32 tokens whose warps share the columns (a batch). The weights stay packed: a byte
// holds four columns' digits, 64 columns apart, and the order of columns in a sum is free, so a
// lane takes 16 neighbouring bytes of a row, masks out one digit of each, and multiplies them with
// the 16 activations that they meet. Digit = weight + 1, so the activations' sum is taken off.

#if __CUDA_ARCH__ >= 800

enum { STORE, ADD, SWIGLU };

typedef struct {
    const u8 *planes; // of the first matrix
    i64 apart;        // bytes to the next: of i, f, g; of the gate's second half
    int groups, rows; // of one matrix
    float *out;       // [matrix, T, stride]
    i64 stride;
} Product;

// Sixteen rows times eight tokens, 32 columns: c += digits (u8) * q (s8).
static __device__ void multiply_tile(int (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, "
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// One plane of a packed block: rows r and r + 8 (16 bytes each), eight tokens (16 values each).
static __device__ void multiply_plane(int (&c)[4], const u32 (&low)[4], const u32 (&high)[4],
                                      uint4 q) {
    multiply_tile(c, low[0], high[0], low[1], high[1], q.x, q.y);
    multiply_tile(c, low[2], high[2], low[3], high[3], q.z, q.w);
}

static __device__ void digits(u32 (&out)[4], uint4 w, int plane) {
    out[0] = w.x >> 2 * plane & 0x03030303u, out[1] = w.y >> 2 * plane & 0x03030303u;
    out[2] = w.z >> 2 * plane & 0x03030303u, out[3] = w.w >> 2 * plane & 0x03030303u;
}

// What becomes of the sums of one row and token.
template <int MODE>
static __device__ void finish(const Args &a, const Product &p, int matrix, int tokens, int row,
                              int token, int sum, int second, float step) {
    if (row >= p.rows || token >= tokens) return;
    i64 at = (i64)matrix * tokens + token;
    int offset = a.sum[at];
    float worth = a.worth[at] * step, value = (float)(sum - offset) * worth;
    float *out = p.out + at * p.stride + row;
    if (MODE == STORE) *out = value;
    if (MODE == ADD) *out += value;
    if (MODE == SWIGLU) *out = silu(value) * ((float)(second - offset) * worth);
}

enum { TILE = 128, STAGE = TILE * 64 + TILE * COLUMNS };  // bytes: packed rows, then tokens

static __device__ void copy_16(u32 to, const void *from, bool there) {
    int size = there ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(size));
}

// A tile has TILE rows of one matrix, or with SWIGLU TILE / 2 rows of both. Eight warps: two along
// the rows, four along the tokens, each 64 x 32.
template <int KB, int MODE>
static __device__ void big_product(const Args &a, const Product &p, int tokens, float step) {
    extern __shared__ __align__(128) u8 tiles[];
    const int PART = MODE == SWIGLU ? TILE / 2 : TILE;
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = lane >> 2, t = lane & 3;
    int down = warp & 1, across = warp >> 1, matrix = blockIdx.z;
    int token0 = blockIdx.x * TILE, group0 = blockIdx.y * (PART / 4);
    const u8 *planes = p.planes + (MODE == SWIGLU ? 0 : matrix * p.apart);
    const i8 *q = a.q + (i64)matrix * tokens * (KB * COLUMNS);
    u32 places = (u32)__cvta_generic_to_shared(tiles);

    auto fetch = [&](int block) {
        u32 to = places + block % STAGES * STAGE;
#pragma unroll
        for (int n = 0; n < TILE * 64 / 16 / 256; n++) {
            int piece = threadIdx.x + n * 256, group = piece >> 4;
            int half = MODE == SWIGLU ? group / (PART / 4) : 0;
            int row = group0 + group - half * (PART / 4);
            bool there = block < KB && row < p.groups;
            i64 at = half * p.apart + ((i64)row * KB + block) * COLUMNS + (piece & 15) * 16;
            copy_16(to + piece * 16, planes + (there ? at : 0), there);
        }
#pragma unroll
        for (int n = 0; n < TILE * COLUMNS / 16 / 256; n++) {
            int piece = threadIdx.x + n * 256, token = piece >> 4, part = piece & 15;
            bool there = block < KB && token0 + token < tokens;
            i64 at = ((i64)(token0 + token) * KB + block) * COLUMNS + part * 16;
            // Two tokens' parts that are read together lie in different banks.
            u32 place = token * COLUMNS + (part ^ (token & 1) << 2) * 16;
            copy_16(to + TILE * 64 + place, q + (there ? at : 0), there);
        }
        asm volatile("cp.async.commit_group;");
    };

    int c[4][4][4] = {};
    auto row_of = [&](int i) {
        if (MODE != SWIGLU) return down * 64 + i * 16;
        return (i & 1) * (TILE / 2) + down * 32 + (i >> 1) * 16;
    };
#pragma unroll
    for (int n = 0; n < STAGES - 1; n++) fetch(n);
#pragma unroll 1
    for (int block = 0; block < KB; block++) {
        asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2));
        __syncthreads();
        fetch(block + STAGES - 1);
        const u8 *rows = tiles + block % STAGES * STAGE, *columns = rows + TILE * 64;
        uint4 low[4], high[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            low[i] = *(const uint4 *)(rows + (row_of(i) + g) * 64 + t * 16);
            high[i] = *(const uint4 *)(rows + (row_of(i) + g + 8) * 64 + t * 16);
        }
#pragma unroll
        for (int plane = 0; plane < 4; plane++) {
            uint4 x[4];
#pragma unroll
            for (int n = 0; n < 4; n++) {
                int token = across * 32 + n * 8 + g, part = plane * 4 + t;
                x[n] = *(const uint4 *)(columns + token * COLUMNS + (part ^ (token & 1) << 2) * 16);
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                u32 l[4], h[4];
                digits(l, low[i], plane), digits(h, high[i], plane);
#pragma unroll
                for (int n = 0; n < 4; n++) multiply_plane(c[i][n], l, h, x[n]);
            }
        }
    }
    asm volatile("cp.async.wait_all;");
#pragma unroll
    for (int i = 0; i < 4; i++) {
        if (MODE == SWIGLU && i & 1) continue;
#pragma unroll
        for (int n = 0; n < 4; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int row = group0 * 4 + row_of(i) + g + (e >> 1) * 8;
                int token = token0 + across * 32 + n * 8 + t * 2 + (e & 1);
                finish<MODE>(a, p, matrix, tokens, row, token, c[i][n][e],
                             MODE == SWIGLU ? c[i | 1][n][e] : 0, step);
            }
    }
}

// 32 rows (with SWIGLU 16 of both halves) x 32 tokens; the eight warps take turns at the blocks of
// columns and add their sums up at the end.
template <int KB, int MODE>
static __device__ void small_product(const Args &a, const Product &p, int tokens, float step) {
    __shared__ int total[32][32];
    const int PART = MODE == SWIGLU ? 16 : 32;
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = lane >> 2, t = lane & 3;
    int matrix = blockIdx.z, token0 = blockIdx.x * 32, group0 = blockIdx.y * (PART / 4);
    const u8 *planes = p.planes + (MODE == SWIGLU ? 0 : matrix * p.apart);
    const i8 *q = a.q + (i64)matrix * tokens * (KB * COLUMNS);
    for (int n = threadIdx.x; n < 1024; n += 256) (&total[0][0])[n] = 0;
    __syncthreads();
    int c[2][4][4] = {};
#pragma unroll 2
    for (int block = warp; block < KB; block += 8) {
        uint4 low[2], high[2];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int group = group0 + (MODE == SWIGLU ? 0 : i * 4) + (g >> 2);
            const u8 *from = planes + (MODE == SWIGLU ? i * p.apart : 0) +
                             ((i64)group * KB + block) * COLUMNS + (g & 3) * 64 + t * 16;
            uint4 none = make_uint4(0, 0, 0, 0);
            low[i] = group < p.groups ? __ldg((const uint4 *)from) : none;
            from += 2 * (i64)KB * COLUMNS;
            high[i] = group + 2 < p.groups ? __ldg((const uint4 *)from) : none;
        }
#pragma unroll
        for (int plane = 0; plane < 4; plane++) {
            uint4 x[4];
#pragma unroll
            for (int n = 0; n < 4; n++) {
                int token = token0 + n * 8 + g;
                const i8 *from = q + ((i64)token * KB + block) * COLUMNS + plane * 64 + t * 16;
                x[n] = token < tokens ? *(const uint4 *)from : make_uint4(0, 0, 0, 0);
            }
#pragma unroll
            for (int i = 0; i < 2; i++) {
                u32 l[4], h[4];
                digits(l, low[i], plane), digits(h, high[i], plane);
#pragma unroll
                for (int n = 0; n < 4; n++) multiply_plane(c[i][n], l, h, x[n]);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int n = 0; n < 4; n++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                atomicAdd(&total[i * 16 + g + (e >> 1) * 8][n * 8 + t * 2 + (e & 1)], c[i][n][e]);
    __syncthreads();
    for (int n = threadIdx.x; n < PART * 32; n += 256) {
        int row = n % PART, token = n / PART;
        finish<MODE>(a, p, matrix, tokens, group0 * 4 + row, token0 + token, total[row][token],
                     MODE == SWIGLU ? total[row + 16][token] : 0, step);
    }
}

// Four products, each in both sizes; blockIdx: token tile, row tile, matrix.
#define PRODUCT(name, KB, MODE, ...)                                                     \
    extern "C" __global__ void __launch_bounds__(256, 1)                                 \
    edge_big_##name(const __grid_constant__ Args a, int layer, int tokens) {             \
        const float *v = layer_vectors(a, layer);                                        \
        const u8 *w = layer_planes(a, layer);                                            \
        Product p = __VA_ARGS__;                                                         \
        big_product<KB, MODE>(a, p, tokens, *STEP_OF(name));                             \
    }                                                                                    \
    extern "C" __global__ void __launch_bounds__(256)                                    \
    edge_small_##name(const __grid_constant__ Args a, int layer, int tokens) {           \
        const float *v = layer_vectors(a, layer);                                        \
        const u8 *w = layer_planes(a, layer);                                            \
        Product p = __VA_ARGS__;                                                         \
        small_product<KB, MODE>(a, p, tokens, *STEP_OF(name));                           \
    }
#define STEP_OF(name) (v + AT_##name)
#define AT_mixer V_STEPS + blockIdx.z
#define AT_output V_STEPS + 3
#define AT_gate V_STEPS + 4
#define AT_down V_STEPS + 5
#define AT_head H_STEP

PRODUCT(mixer, BLOCKS_D, STORE, {w, SQUARE, GROUPS_D, WIDTH, a.y, ROW_D})
PRODUCT(output, BLOCKS_D, ADD, {w + 3 * SQUARE, 0, GROUPS_D, WIDTH, a.x, ROW_D})
PRODUCT(gate, BLOCKS_D, SWIGLU, {w + 4 * SQUARE, HALF, GROUPS_I, INNER, a.y, ROW_I})
PRODUCT(down, BLOCKS_I, ADD,
        {w + 4 * SQUARE + 2 * HALF, 0, GROUPS_D, WIDTH, a.x, ROW_D})
PRODUCT(head, BLOCKS_D, STORE, {w, 0, GROUPS_V, VOCAB, a.logits, VOCAB})

#endif
