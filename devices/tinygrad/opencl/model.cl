// The forward pass of a model in OpenCL C 1.2: packed ternary products, norms, recurrence.
// It knows where a tensor lies (layout.py says the same of vectors); it does not know the
// order of launches. A prefix defines WIDTH, INNER, EPS and TILE: how many tokens, in their order,
// a launch takes at most; rows of activations are TILE apart, whatever the number of tokens.

#define CDIV(a, b) (((a) + (b) - 1) / (b))
#define INNER_EPS 1e-6f  // inside BitLinear, whatever the model's own eps

enum {
    LANES = 64,        // work-items of a group that multiplies: one packed block of 4 x 256 weights
    NORM_LANES = 256,  // of a group that normalises a row
    BLOCKS_D = CDIV(WIDTH, 256),
    BLOCKS_I = CDIV(INNER, 256),
    ROW_D = BLOCKS_D * 256,  // a row of activations, padded
    ROW_I = BLOCKS_I * 256,
    GROUPS_D = CDIV(WIDTH, 4),
    GROUPS_I = CDIV(INNER, 4),
    ROW_SUMS = 4 * TILE,
    // A layer's vectors.
    V_BOUND = 4 * ROW_D,
    V_STEPS = 9 * ROW_D + ROW_I,
};

// Exact sums of a group of four rows and the int8 rows of TILE tokens: sums[4 * token + row].
// Work-item 16 * r + c takes columns 4 * c .. 4 * c + 3 of each plane of row r. Digits are trit + 1,
// so each token's own sum is taken off. All of the group must come here.
static void row_sums(__global const uint *planes, int blocks, __global const uint *q,
                     __global const int *totals, __local int *part, __local int *sums) {
    int lane = get_local_id(0), stride = 64 * blocks;
    int4 acc[TILE];
    for (int t = 0; t < TILE; t++) acc[t] = 0;
    planes += (size_t)get_group_id(0) * stride + lane;
    q += lane & 15;
    for (int b = 0; b < blocks; b++) {
        uint packed = planes[64 * b];
        for (int plane = 0; plane < 4; plane++) {
            int4 digits = convert_int4(as_uchar4(packed >> 2 * plane & 0x03030303u));
            for (int t = 0; t < TILE; t++)
                acc[t] += digits * convert_int4(as_char4(q[t * stride + 64 * b + 16 * plane]));
        }
    }
    for (int t = 0; t < TILE; t++) part[LANES * t + lane] = acc[t].x + acc[t].y + acc[t].z + acc[t].w;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane < ROW_SUMS) {
        int sum = -totals[lane / 4];
        for (int k = 0; k < 16; k++) sum += part[16 * lane + k];
        sums[lane] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

static float sigmoid(float v) { return 1.0f / (1.0f + exp(-v)); }
static float silu(float v) { return v / (1.0f + exp(-v)); }

// The products with i, f and g and the recurrence: g and every state into y [2, TILE, ROW_D].
__kernel void edge_mixer(__global const uint *planes, __global const float *vectors,
                         __global const uint *q, __global const float *worth,
                         __global const int *totals, __global float *state, __global float *y,
                         int layer, int tokens) {
    __local int part[LANES * TILE], sums[3 * ROW_SUMS];
    for (int m = 0; m < 3; m++)
        row_sums(planes + (size_t)m * GROUPS_D * BLOCKS_D * 64, BLOCKS_D, q + m * TILE * ROW_D / 4,
                 totals + m * TILE, part, sums + m * ROW_SUMS);
    int lane = get_local_id(0), row = 4 * get_group_id(0) + lane;
    if (lane >= 4 || row >= WIDTH) return;
    float bound = vectors[V_BOUND + row], hidden = state[layer * ROW_D + row];
    __global const float *steps = vectors + V_STEPS;
    for (int t = 0; t < tokens; t++) {
        __local const int *sum = sums + 4 * t + lane;
        float i = (float)sum[0] * (steps[0] * worth[t]);
        float f = (float)sum[ROW_SUMS] * (steps[1] * worth[TILE + t]);
        float g = (float)sum[2 * ROW_SUMS] * (steps[2] * worth[2 * TILE + t]);
        float forget = bound + (1.0f - bound) * sigmoid(f);
        hidden = forget * hidden + silu(i) * (1.0f - forget);
        y[t * ROW_D + row] = g;
        y[(TILE + t) * ROW_D + row] = hidden;
    }
    state[layer * ROW_D + row] = hidden;
}

// Any other product: out[t * stride + row] = or += the product, of `rows` rows. planes starts at
// `first` (in words), its rows have `blocks` blocks; the step is vectors[step].
__kernel void edge_product(__global const uint *planes, __global const float *vectors,
                           __global const uint *q, __global const float *worth,
                           __global const int *totals, __global float *out, int first, int blocks,
                           int step, int rows, int stride, int add, int tokens) {
    __local int part[LANES * TILE], sums[ROW_SUMS];
    row_sums(planes + first, blocks, q, totals, part, sums);
    int lane = get_local_id(0), t = lane / 4, row = 4 * get_group_id(0) + lane % 4;
    if (t >= tokens || row >= rows) return;
    float value = (float)sums[lane] * (vectors[step] * worth[t]);
    __global float *to = out + (size_t)t * stride + row;
    *to = add ? *to + value : value;
}

// Both halves of the gate's product, and the gate itself: y [TILE, ROW_I].
__kernel void edge_gate(__global const uint *planes, __global const float *vectors,
                        __global const uint *q, __global const float *worth,
                        __global const int *totals, __global float *y, int first, int tokens) {
    __local int part[LANES * TILE], sums[2 * ROW_SUMS];
    planes += first;
    row_sums(planes, BLOCKS_D, q, totals, part, sums);
    row_sums(planes + (size_t)GROUPS_I * BLOCKS_D * 64, BLOCKS_D, q, totals, part,
             sums + ROW_SUMS);
    int lane = get_local_id(0), t = lane / 4, row = 4 * get_group_id(0) + lane % 4;
    if (t >= tokens || row >= INNER) return;
    float scale = vectors[V_STEPS + 4] * worth[t];
    y[t * ROW_I + row] = silu((float)sums[lane] * scale) * ((float)sums[ROW_SUMS + lane] * scale);
}

// RESIDUAL: x times the outer norm's weights. GATED: g, likewise, times silu of the state, which
// lies TILE rows on. PLAIN: no outer norm.
enum { RESIDUAL, GATED, PLAIN };

// The value at k before either norm divides it, and in *raw what the outer norm measures.
static float entry(__global const float *x, __global const float *outer, int kind, int k,
                   float *raw) {
    float v = x[k];
    *raw = v;
    if (kind == PLAIN) return v;
    v *= outer[k];
    return kind == GATED ? v * silu(x[TILE * ROW_D + k]) : v;
}

// One token's input (group 0) of one product (group 1): both norms, then absmax quantisation to
// int8. The int8 row, its sum, and what a step is worth. outer, inner: offsets into vectors.
__kernel void edge_norm(__global const float *x, __global const float *vectors, __global char *q,
                        __global float *worth, __global int *totals, int kind, int outer, int inner,
                        int width) {
    __local float squares[NORM_LANES], scaled[NORM_LANES], largest[NORM_LANES];
    __local int sums[NORM_LANES];
    int lane = get_local_id(0), lanes = get_local_size(0), row = CDIV(width, 256) * 256;
    int t = get_group_id(0), m = get_group_id(1);
    __global const float *w = vectors + inner + m * row, *u = vectors + outer;
    x += t * row;
    q += (m * TILE + t) * row;
    float s0 = 0, s1 = 0, top = 0, raw;
    for (int k = lane; k < width; k += lanes) {
        float v = entry(x, u, kind, k, &raw);
        s0 += raw * raw;
        s1 += v * v;
        top = fmax(top, fabs(v * w[k]));
    }
    squares[lane] = s0, scaled[lane] = s1, largest[lane] = top;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int other = lanes / 2; other; other /= 2) {
        if (lane < other) {
            squares[lane] += squares[lane + other];
            scaled[lane] += scaled[lane + other];
            largest[lane] = fmax(largest[lane], largest[lane + other]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    float by = kind == PLAIN ? 1.0f : 1.0f / sqrt(squares[0] / width + EPS);
    by *= 1.0f / sqrt(by * by * (scaled[0] / width) + INNER_EPS);
    top = fmax(largest[0] * by, 1e-5f);
    float scale = by * (127.0f / top);
    int sum = 0;
    for (int k = lane; k < row; k += lanes) {
        int value = k < width ? (int)rint(entry(x, u, kind, k, &raw) * w[k] * scale) : 0;
        q[k] = (char)value;
        sum += value;
    }
    sums[lane] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int other = lanes / 2; other; other /= 2) {
        if (lane < other) sums[lane] += sums[lane + other];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (!lane) {
        worth[m * TILE + t] = top / 127.0f;
        totals[m * TILE + t] = sums[0];
    }
}
