// Matrix products: a tile of packed rows times all tokens of a call.
// It knows matrices, tokens and scales; the tiers before it know four rows.

enum { TILE_BYTES = 16384 };  // of packed weights, for one token: a few microseconds of work

typedef float Floats4 __attribute__((vector_size(16), aligned(4)));
typedef i32 Ints4 __attribute__((vector_size(16), aligned(4)));

static inline i64 blocks_of(const Matrix *m) { return (m->width + COLUMNS - 1) / COLUMNS; }

static inline i64 groups_of(const Matrix *m) { return (m->rows + GROUP - 1) / GROUP; }

// acc[4 t + r] = sum(digit * x) of the four rows at w, for up to four tokens.
static inline i64 up_to_four(const u8 *w, const s8 *x, i64 stride, i64 blocks, i64 tokens,
                             i32 *acc) {
    if (tokens >= 4) {
        rows4x4(w, x, stride, blocks, acc);
        return 4;
    }
    for (i64 t = 0; t < tokens; t++) rows4(w, x + t * stride, blocks, acc + 4 * t);
    return tokens;
}

// Rows of groups [from, to) of a product: out = acc * (step * worth), or added to out.
static void multiply(const Product *p, i64 tokens, i64 stride, i64 from, i64 to) {
    const Matrix *m = p->matrix;
    i64 blocks = blocks_of(m);
    for (i64 group = from; group < to && group < groups_of(m); group++) {
        const u8 *w = m->planes + group * blocks * COLUMNS;
        i64 row = group * GROUP, rows = m->rows - row < GROUP ? m->rows - row : GROUP;
        for (i64 t = 0, now; t < tokens; t += now) {
            i32 acc[16];
            now = up_to_four(w, p->x + t * stride, stride, blocks, tokens - t, acc);
            for (i64 k = 0; k < now; k++) {
                // The digit is the trit + 1, so x was counted once too often.
                Ints4 exact = *(const Ints4 *)(acc + 4 * k) - p->sum[t + k];
                float scale = (float)m->step * p->worth[t + k];
                Floats4 value = __builtin_convertvector(exact, Floats4) * scale;
                float *out = p->out + (t + k) * p->out_stride + row;
                if (rows == GROUP) {
                    Floats4 *four = (Floats4 *)out;
                    *four = p->add ? *four + value : value;
                } else {
                    for (i64 r = 0; r < rows; r++) out[r] = p->add ? out[r] + value[r] : value[r];
                }
            }
        }
    }
}

// How many tiles the products of a region are cut into; all have the same shape.
static i64 cut_tiles(Work *work) {
    const Matrix *m = work->product[0].matrix;
    i64 cost = blocks_of(m) * COLUMNS * ((work->tokens + 3) / 4);
    work->groups = cost < TILE_BYTES ? TILE_BYTES / cost : 1;
    return work->products * ((groups_of(m) + work->groups - 1) / work->groups);
}

static void product_tile(const Work *work, i64 index) {
    const Matrix *m = work->product[0].matrix;
    i64 each = (groups_of(m) + work->groups - 1) / work->groups;
    i64 from = index % each * work->groups;
    multiply(&work->product[index / each], work->tokens, work->stride, from, from + work->groups);
}
