// The ternary dot product in portable C, for processors that no other tier knows.
// It knows one group of four packed rows; it does not know matrices, tokens' meaning or scales.

#ifndef TIER
#define TIER 1

// out[4] = sum(digit * x) of four rows, int8 x [blocks * 256].
static inline void rows4(const u8 *w, const s8 *x, i64 blocks, i32 *out) {
    for (int r = 0; r < 4; r++) {
        i32 sum = 0;
        for (i64 b = 0; b < blocks; b++)
            for (int j = 0; j < 64; j++) {
                i32 v = w[256 * b + 64 * r + j];
                const s8 *at = x + 256 * b + j;
                sum += (v & 3) * at[0] + (v >> 2 & 3) * at[64] + (v >> 4 & 3) * at[128] +
                       (v >> 6) * at[192];
            }
        out[r] = sum;
    }
}

// out[4 t + r] = the same of four rows x four tokens, the tokens' x `stride` apart.
static inline void rows4x4(const u8 *w, const s8 *x, i64 stride, i64 blocks, i32 *out) {
    for (int t = 0; t < 4; t++) rows4(w, x + t * stride, blocks, out + 4 * t);
}
#endif
