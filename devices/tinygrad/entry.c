// The one external function: what Python calls, with one Work.
// It knows the operations and how scratch memory is divided; it does not know mathematics.

static inline i64 up_to(i64 n, i64 multiple) { return (n + multiple - 1) / multiple * multiple; }

// Divide scratch into rows for `tokens` tokens; returns the bytes needed.
static i64 divide(Work *w, u8 *base) {
    const Model *m = w->model;
    i64 d = m->width, inner = m->inner, widest = d > inner ? d : inner, t = w->tokens;
    w->row = up_to(d, LANES);
    w->wide = up_to(widest, LANES);
    w->wide2 = up_to(2 * inner, LANES) + LANES;  // the second half may start inside a vector
    w->stride = up_to(widest, COLUMNS);
    i64 both = 3 * w->row > w->wide2 ? 3 * w->row : w->wide2, at = 0;
    w->temp = (float *)(base + at);
    at += up_to(t * w->wide * 4, 64);
    w->both = (float *)(base + at);
    at += up_to(t * both * 4, 64);
    w->q = (s8 *)(base + at);
    at += up_to(3 * t * w->stride, 64);
    w->sum = (i32 *)(base + at);
    at += up_to(3 * t * 4, 64);
    w->worth = (float *)(base + at);
    at += up_to(3 * t * 4, 64);
    w->tile = base + at;
    w->tile_bytes = 0;
    const Layer *layer = m->layers ? m->layer : (const Layer *)0;
    const Matrix *matrix[] = {&m->head, &layer->i, &layer->o, &layer->gate, &layer->down};
    for (int k = 0; k < (layer ? 5 : 1); k++) {
        // Where there are very many rows, a token alone may have the larger tile.
        i64 one = tile_bytes_of(matrix[k], k == 1 ? 3 : 1, 1);
        i64 all = tile_bytes_of(matrix[k], k == 1 ? 3 : 1, t);
        if (one > w->tile_bytes) w->tile_bytes = one;
        if (all > w->tile_bytes) w->tile_bytes = all;
    }
    return at + (w->pool ? w->pool->threads : 1) * w->tile_bytes;
}

// target int32 [tokens, rows] = q int8 [tokens, stride] times the head's trits, exactly.
static void accumulate(Work *w) {
    const Matrix *m = &w->model->head;
    w->stride = blocks_of(m) * COLUMNS;
    w->cut = cut_tiles(m, 1, w->tokens);
    const s8 *q = (const s8 *)w->source;
    for (i64 t = 0; t < w->tokens; t++) {
        w->sum[t] = 0;
        for (i64 c = 0; c < w->stride; c++) w->sum[t] += q[t * w->stride + c];
    }
    w->product[0] = (Product){m, q, w->sum, (float *)0, (float *)0, m->rows, 0, (i32 *)w->target};
    for (i64 index = 0; index < w->cut.each; index++) product_tile(w, index, 0);
}

// target: q int8, padded to whole blocks, then the sum (int32) and the worth (float32) of float32
// source [count] times the head's norm; no normalisation.
static void quantise_only(const Work *w) {
    i64 n = w->count, stride = up_to(n, COLUMNS);
    s8 *q = (s8 *)w->target;
    quantise_row((const float *)w->source, 1.0f, w->model->head.norm, n, q, stride,
                 (i32 *)(q + stride), (float *)(q + stride + 4));
}

// target float32 [3, count]: e^v (v clamped), sigmoid and SiLU of float32 source [count].
static void activate(const Work *w) {
    const float *x = (const float *)w->source;
    float *y = (float *)w->target;
    for (i64 k = 0; k < w->count; k += LANES) {
        F v = load(x + k);
        store(y + k, exponential(larger(spread(-80.0f), -larger(spread(-80.0f), -v))));
        store(y + w->count + k, sigmoid(v));
        store(y + 2 * w->count + k, silu(v));
    }
}

enum { PROBE_BYTES = 1 << 16 };

// A tile of the bandwidth probe: adds up 64 KiB of source, so that it must be read.
static void sum_bytes(const Work *work, i64 index) {
    typedef u64 V __attribute__((vector_size(64)));
    const u8 *p = (const u8 *)work->source + index * PROBE_BYTES;
    V a = {}, b = {}, c = {}, d = {};
    for (i64 k = 0; k < PROBE_BYTES; k += 256) {
        for (int line = 0; line < 4; line++) __builtin_prefetch(p + k + AHEAD + 64 * line, 0, ONCE);
        a += *(const V *)(p + k);
        b += *(const V *)(p + k + 64);
        c += *(const V *)(p + k + 128);
        d += *(const V *)(p + k + 192);
    }
    ((V *)work->target)[index] = a + b + c + d;
}

void edge_entry(Work *w) {
    if (w->op == WORK) work_until_stopped(w->pool, w->count);
    else if (w->op == MEASURE) {
        w->scratch_bytes = divide(w, (u8 *)0);
        w->tier = TIER;
    } else if (w->op == ADVANCE) {
        divide(w, w->scratch);
        advance(w);
    } else if (w->op == ACCUMULATE) {
        divide(w, w->scratch);
        accumulate(w);
    } else if (w->op == QUANTISE) quantise_only(w);
    else if (w->op == ACTIVATE) activate(w);
    else if (w->op == READ) run_tiles(w, SUM, w->count / PROBE_BYTES);
}
