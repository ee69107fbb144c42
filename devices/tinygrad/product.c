// Matrix products: a tile of packed rows times all tokens of a call.
// It knows matrices, tokens and scales; the tiers before it know four rows.

// Of packed weights: for a token, and for a prompt, where a tile is read from the second-level
// cache by every four tokens.
enum { TILE_BYTES = 16384, BATCH_TILE_BYTES = 65536 };

typedef float Floats4 __attribute__((vector_size(16), aligned(4)));
typedef i32 Ints4 __attribute__((vector_size(16), aligned(4)));

static inline i64 blocks_of(const Matrix *m) { return (m->width + COLUMNS - 1) / COLUMNS; }

static inline i64 groups_of(const Matrix *m) { return (m->rows + GROUP - 1) / GROUP; }

// Of ternary1.6: blocks of 320 columns, and bytes a row of the rest at 2 bits a weight.
static inline i64 fives_of(const Matrix *m) {
    return m->width / FIVES + (m->width % FIVES > COLUMNS);
}

static inline i64 rest_of(const Matrix *m) {
    i64 rest = m->width % FIVES;
    return rest > COLUMNS ? 0 : (rest + 63) / 64 * 16;
}

// Bytes of four packed rows.
static inline i64 group_bytes(const Matrix *m) {
    return m->five ? GROUP * (fives_of(m) * 64 + rest_of(m)) : blocks_of(m) * COLUMNS;
}

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

// acc [4 tokens][4 rows], sums of digits (over: 1) or of trits (0) times x -> out: acc * (step *
// worth), or added to out.
static inline void settle(const Product *p, const i32 *acc, i32 over, i64 token, i64 tokens,
                          i64 row) {
    const Matrix *m = p->matrix;
    i64 rows = m->rows - row < GROUP ? m->rows - row : GROUP;
    for (i64 k = 0; k < tokens; k++) {
        // A digit is the trit + 1, so x was counted once too often.
        Ints4 exact = *(const Ints4 *)(acc + 4 * k) - over * p->sum[token + k];
        i64 at = (token + k) * p->out_stride + row;
        if (p->exact) {
            for (i64 r = 0; r < rows; r++) p->exact[at + r] = exact[r];
            continue;
        }
        float scale = (float)m->step * p->worth[token + k];
        Floats4 value = __builtin_convertvector(exact, Floats4) * scale;
        float *out = p->out + at;
        if (rows == GROUP) {
            Floats4 *four = (Floats4 *)out;
            *four = p->add ? *four + value : value;
        } else {
            for (i64 r = 0; r < rows; r++) out[r] = p->add ? out[r] + value[r] : value[r];
        }
    }
}

// Groups [from, to) of a product. Four tokens at a time meet all groups of the tile: their x stays
// in the first-level cache, the tile in the second. `tile`: memory for the tile as ternary2.
static void multiply(const Product *p, i64 tokens, i64 stride, i64 from, i64 to, u8 *tile) {
    const Matrix *m = p->matrix;
    i64 blocks = blocks_of(m), bytes = group_bytes(m), groups = groups_of(m);
    if (to > groups) to = groups;
    const u8 *packed = m->planes + from * bytes;
    if (m->five) {
        i64 fives = fives_of(m), rest = rest_of(m);
#ifdef FIVES_HERE
        if (tokens < 4) {
            for (i64 group = from; group < to; group++, packed += bytes)
                for (i64 t = 0; t < tokens; t++) {
                    i32 acc[4];
                    rows4_five(packed, p->x + t * stride, fives, rest, acc);
                    settle(p, acc, FIVES_HERE, t, 1, group * GROUP);
                }
            return;
        }
#endif
        for (i64 group = from; group < to; group++, packed += bytes)
            unpack5(packed, fives, rest, tile + (group - from) * blocks * COLUMNS);
        packed = tile;
        bytes = blocks * COLUMNS;
    }
    for (i64 t = 0, now = 0; t < tokens; t += now)
        for (i64 group = from; group < to; group++) {
            i32 acc[16];
            const u8 *w = packed + (group - from) * bytes;
            now = up_to_four(w, p->x + t * stride, stride, blocks, tokens - t, acc);
            settle(p, acc, 1, t, now, group * GROUP);
        }
}

// How a region of products is cut into tiles; all its matrices have the same shape.
static Cut cut_tiles(const Matrix *m, i64 products, i64 tokens) {
    i64 bytes = blocks_of(m) * COLUMNS, most = tokens < 4 ? TILE_BYTES : BATCH_TILE_BYTES;
    i64 least = (products * groups_of(m) + MAX_TILES / 2) / (MAX_TILES / 2);
    i64 groups = bytes < most ? most / bytes : 1;
    if (groups < least) groups = least;
    return (Cut){groups, (groups_of(m) + groups - 1) / groups};
}

static void product_tile(const Work *work, i64 index, i64 thread) {
    i64 each = work->cut.each, groups = work->cut.groups, from = index % each * groups;
    multiply(&work->product[index / each], work->tokens, work->stride, from, from + groups,
             work->tile + thread * work->tile_bytes);
}

// Bytes that a thread needs for a tile of `m` as ternary2.
static i64 tile_bytes_of(const Matrix *m, i64 products, i64 tokens) {
    return m->five ? cut_tiles(m, products, tokens).groups * blocks_of(m) * COLUMNS : 0;
}

// Where the first tile of thread `span`'s part of the next product lies.
static const u8 *next_start(const Work *work, i64 kind, i64 span) {
    if (kind != PRODUCT) return (const u8 *)0;
    Cut next = cut_tiles(work->next, work->next_products, work->tokens);
    i64 index = next.each * work->next_products * span / work->pool->threads;
    const Matrix *m = work->next + index / next.each;
    return m->planes + index % next.each * next.groups * group_bytes(m);
}
