// The forward pass of arXiv 2406.02528, as released: layers, recurrence and head, for a few tokens.
// It knows the order of operations; model.py states the same mathematics in graph ops and is what
// every number here is compared with. Parallel parts are tiles: of rows, or of one token each.

#define INNER_EPS 1e-6f  // inside BitLinear, whatever the model's own eps

// Normalise row t of temp once more, by `scale`, weigh it with a projection's inner norm and
// quantise it.
static void quantise_slot(const Work *w, const Matrix *m, float scale, i64 slot, i64 t) {
    i64 at = slot * w->tokens + t;
    quantise_row(w->temp + t * w->wide, scale, m->norm, m->width, w->q + at * w->stride,
                 blocks_of(m) * COLUMNS, w->sum + at, w->worth + at);
}

static void quantise_for(const Work *w, const Matrix *m, i64 t) {
    quantise_slot(w, m, inverse_rms(w->temp + t * w->wide, m->width, INNER_EPS), 0, t);
}

static void norm_residual(const Work *w, const float *weight, i64 t) {
    const float *x = w->x + t * w->row;
    i64 d = w->model->width;
    scale_row(w->temp + t * w->wide, x, inverse_rms(x, d, (float)w->model->eps), weight, d);
}

// Row t of the i, f or g projections.
static inline float *projection(const Work *w, i64 slot, i64 t) {
    return w->both + (slot * w->tokens + t) * w->row;
}

// i, f <- update c and forget gate f: f = B + (1 - B) sigmoid(f), c = SiLU(i) (1 - f).
static void gates(const Work *w, i64 t) {
    float *update = projection(w, 0, t), *forget = projection(w, 1, t);
    for (i64 k = 0; k < w->model->width; k += LANES) {
        F bound = load(w->layer->bound + k);
        F f = bound + (1.0f - bound) * sigmoid(load(forget + k));
        store(forget + k, f);
        store(update + k, silu(load(update + k)) * (1.0f - f));
    }
}

// h <- f h + c, token by token; every h replaces its c.
static void recur(const Work *w, float *state) {
    for (i64 t = 0; t < w->tokens; t++) {
        float *update = projection(w, 0, t), *forget = projection(w, 1, t);
        for (i64 k = 0; k < w->model->width; k += LANES) {
            F h = load(forget + k) * load(state + k) + load(update + k);
            store(state + k, h);
            store(update + k, h);
        }
    }
}

// temp <- RMSNorm(g) SiLU(h), quantised for the output projection.
static void output(const Work *w, i64 t) {
    const float *hidden = projection(w, 0, t), *g = projection(w, 2, t);
    i64 d = w->model->width;
    float scale = inverse_rms(g, d, (float)w->model->eps), *temp = w->temp + t * w->wide;
    for (i64 k = 0; k < d; k += LANES) {
        F normed = (load(g + k) * scale) * load(w->layer->g_norm + k);
        store(temp + k, normed * silu(load(hidden + k)));
    }
    quantise_for(w, &w->layer->o, t);
}

// temp <- SiLU(a) b of the two halves, quantised for the down projection.
static void gated(const Work *w, i64 t) {
    i64 n = w->model->inner;
    const float *a = w->both + t * w->wide2, *b = a + n;
    float *temp = w->temp + t * w->wide;
    for (i64 k = 0; k < n; k += LANES) store(temp + k, silu(load(a + k)) * load(b + k));
    quantise_for(w, &w->layer->down, t);
}

static void mix(const Work *w, i64 t) {
    norm_residual(w, w->layer->attn_norm, t);
    float scale = inverse_rms(w->temp + t * w->wide, w->model->width, INNER_EPS);
    quantise_slot(w, &w->layer->i, scale, 0, t);
    quantise_slot(w, &w->layer->f, scale, 1, t);
    quantise_slot(w, &w->layer->g, scale, 2, t);
}

static void sum_bytes(const Work *work, i64 index);

static void tile(const Work *w, i64 kind, i64 index, i64 thread) {
    if (kind == PRODUCT) product_tile(w, index, thread);
    else if (kind == MIX) mix(w, index);
    else if (kind == GATES) gates(w, index);
    else if (kind == OUTPUT) output(w, index);
    else if (kind == GATED) gated(w, index);
    else if (kind == SUM) sum_bytes(w, index);
    else {
        int last = kind == FINAL;
        norm_residual(w, last ? w->model->norm : w->layer->mlp_norm, index);
        quantise_for(w, last ? &w->model->head : &w->layer->gate, index);
    }
}

static void set_product(Work *w, i64 slot, const Matrix *m, float *out, i64 out_stride, i64 add) {
    i64 at = slot * w->tokens;
    w->product[slot] = (Product){m,   w->q + at * w->stride, w->sum + at, w->worth + at,
                                 out, out_stride,            add,              (i32 *)0};
}

// Run the first `count` products; `next` starts the `next_count` products after these.
static void run_products(Work *w, i64 count, const Matrix *next, i64 next_count) {
    w->cut = cut_tiles(w->product[0].matrix, count, w->tokens);
    w->next = next;
    w->next_products = next_count;
    run_tiles(w, PRODUCT, count * w->cut.each);
}

static void run_layer(Work *w, float *state) {
    const Layer *layer = w->layer;
    run_tiles(w, MIX, w->tokens);
    set_product(w, 0, &layer->i, projection(w, 0, 0), w->row, 0);
    set_product(w, 1, &layer->f, projection(w, 1, 0), w->row, 0);
    set_product(w, 2, &layer->g, projection(w, 2, 0), w->row, 0);
    run_products(w, 3, &layer->o, 1);
    run_tiles(w, GATES, w->tokens);
    recur(w, state);
    run_tiles(w, OUTPUT, w->tokens);
    set_product(w, 0, &layer->o, w->x, w->row, 1);
    run_products(w, 1, &layer->gate, 1);
    run_tiles(w, CHANNEL, w->tokens);
    set_product(w, 0, &layer->gate, w->both, w->wide2, 0);
    run_products(w, 1, &layer->down, 1);
    run_tiles(w, GATED, w->tokens);
    set_product(w, 0, &layer->down, w->x, w->row, 1);
    if (layer + 1 < w->model->layer + w->model->layers) run_products(w, 1, &layer[1].i, 3);
    else run_products(w, 1, w->wanted ? &w->model->head : &w->model->layer->i, w->wanted ? 1 : 3);
}

// All layers for `tokens` tokens, and the logits of the last `wanted` of them.
static void advance(Work *w) {
    const Model *m = w->model;
    for (i64 l = 0; l < m->layers; l++) {
        w->layer = m->layer + l;
        run_layer(w, w->state + l * w->row);
    }
    if (!w->wanted) return;
    w->x += (w->tokens - w->wanted) * w->row;
    w->tokens = w->wanted;
    run_tiles(w, FINAL, w->tokens);
    set_product(w, 0, &m->head, w->logits, m->vocab, 0);
    run_products(w, 1, &m->layer->i, 3);
}
