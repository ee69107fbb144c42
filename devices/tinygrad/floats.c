// Float helpers: exp, sigmoid, SiLU, RMSNorm and absmax quantisation of one row.
// They know rows of floats; they do not know layers or weights.
//
// Sums have a fixed order (16 lanes, then a tree), so every processor gives the same bits. Rows may
// have any length n; they are padded to whole vectors, and the lanes past n count as zero.

static const I LANE = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static inline F spread(float v) { return v - (F){}; }

static inline F load(const float *p) { return *(const Floats *)p; }

static inline void store(float *p, F v) { *(Floats *)p = v; }

// The vector at p + k, with zeros in the lanes past n.
static inline F cut(F v, i64 k, i64 n) {
    if (k + LANES <= n) return v;
    return (F)((I)v & (LANE < (i32)(n - k) - (I){}));
}

static inline F absolute(F v) { return (F)((I)v & 0x7fffffff); }

static inline F larger(F a, F b) {
    I first = a > b;
    return (F)(((I)a & first) | ((I)b & ~first));
}

static inline float sum_lanes(F v) {
    float t[LANES];
    store(t, v);
    for (int half = LANES / 2; half; half /= 2)
        for (int k = 0; k < half; k++) t[k] += t[k + half];
    return t[0];
}

static inline float max_lanes(F v) {
    float most = v[0];
    for (int k = 1; k < LANES; k++) most = v[k] > most ? v[k] : most;
    return most;
}

// Round to the nearest integer, halves to even: adding 1.5 * 2^23 leaves no bits for a fraction.
static inline F round_even(F v) { return (v + 12582912.0f) - 12582912.0f; }

// e^v for |v| <= 80, relative error below 2e-7: 2^n times the Taylor series on |r| <= ln(2) / 2.
static inline F exponential(F v) {
    F n = round_even(v * 1.44269504f);
    F r = (v - n * 0.693145752f) - n * 1.42860677e-6f;  // ln 2, the first part exact in n * part
    F p = r * (1.0f / 5040) + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * (r * r) + r;
    I power = (__builtin_convertvector(n, I) + 127) << 23;
    return (p + 1.0f) * (F)power;
}

static inline F sigmoid(F v) {
    F near = larger(spread(-80.0f), -larger(spread(-80.0f), -v));  // clamp to [-80, 80]
    return 1.0f / (exponential(-near) + 1.0f);
}

static inline F silu(F v) { return v * sigmoid(v); }

// 1 / sqrt(mean(x^2) + eps) of x float32 [n].
static float inverse_rms(const float *x, i64 n, float eps) {
    F total = {};
    for (i64 k = 0; k < n; k += LANES) {
        F v = cut(load(x + k), k, n);
        total += v * v;
    }
    return 1.0f / __builtin_sqrtf(sum_lanes(total) / (float)n + eps);
}

// y = (x * scale) * weight for float32 [n].
static void scale_row(float *y, const float *x, float scale, const float *weight, i64 n) {
    for (i64 k = 0; k < n; k += LANES) store(y + k, (load(x + k) * scale) * load(weight + k));
}

// Absmax quantisation of (x * scale) * weight, float32 [n], to int8 (paper eq. 4): q gets zeros up
// to `stride`, sum the sum of q, worth what a step of q is worth. The same order of operations as
// the graph-op model's.
static void quantise_row(const float *x, float scale, const float *weight, i64 n, s8 *q, i64 stride,
                         i32 *sum, float *worth) {
    typedef s8 Bytes __attribute__((vector_size(16), aligned(1)));
    F most = spread(1e-5f);
    for (i64 k = 0; k < n; k += LANES)
        most = larger(cut(absolute((load(x + k) * scale) * load(weight + k)), k, n), most);
    float largest = max_lanes(most), factor = 127.0f / largest;
    I total = {};
    i64 k = 0;
    for (; k < n; k += LANES) {
        F y = cut((load(x + k) * scale) * load(weight + k), k, n);
        I whole = __builtin_convertvector(round_even(y * factor), I);
        total += whole;
        *(Bytes *)(q + k) = __builtin_convertvector(whole, Bytes);
    }
    for (; k < stride; k += LANES) *(Bytes *)(q + k) = (Bytes){};
    i32 all = 0;
    for (int lane = 0; lane < LANES; lane++) all += total[lane];
    *sum = all;
    *worth = largest / 127.0f;
}
