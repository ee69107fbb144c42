// The ternary dot product with AVX512-VNNI: u8 x s8 in groups of four, summed in int32.
// It knows one group of four packed rows; it does not know matrices, tokens' meaning or scales.

#if !defined(TIER) && defined(__AVX512VNNI__) && defined(__AVX512BW__)
#define TIER 3
#include <immintrin.h>

// out[4] = sum(digit * x) of four rows, int8 x [blocks * 256]. The planes are masked where they
// lie: digits times 4^s, each in an accumulator of its own, shifted down once at the end.
static inline void rows4(const u8 *w, const s8 *x, i64 blocks, i32 *out) {
    __m512i sum[4][4];
    for (int r = 0; r < 4; r++)
        for (int s = 0; s < 4; s++) sum[r][s] = _mm512_setzero_si512();
    for (i64 b = 0; b < blocks; b++, w += 256, x += 256) {
        __m512i x0 = _mm512_loadu_si512(x), x1 = _mm512_loadu_si512(x + 64);
        __m512i x2 = _mm512_loadu_si512(x + 128), x3 = _mm512_loadu_si512(x + 192);
        for (int r = 0; r < 4; r++) {
            // Into the second-level cache: the first is too small to hold what is under way.
            __builtin_prefetch(w + AHEAD + 64 * r, 0, 2);
            __m512i v = _mm512_loadu_si512(w + 64 * r);
#define PLANE(s, mask)                                          \
    sum[r][s] = _mm512_dpbusd_epi32(                            \
        sum[r][s], _mm512_and_si512(v, _mm512_set1_epi8((char)mask)), x##s)
            PLANE(0, 0x03);
            PLANE(1, 0x0c);
            PLANE(2, 0x30);
            PLANE(3, 0xc0);
#undef PLANE
        }
    }
    for (int r = 0; r < 4; r++)
        out[r] = _mm512_reduce_add_epi32(sum[r][0]) + (_mm512_reduce_add_epi32(sum[r][1]) >> 2) +
                 (_mm512_reduce_add_epi32(sum[r][2]) >> 4) +
                 (_mm512_reduce_add_epi32(sum[r][3]) >> 6);
}

// out[4 t + r] = the same of four rows x four tokens, the tokens' x `stride` apart. The digits are
// shifted down once for all tokens, so one accumulator a pair is enough.
static inline void rows4x4(const u8 *w, const s8 *x, i64 stride, i64 blocks, i32 *out) {
    __m512i sum[4][4], three = _mm512_set1_epi8(3);
    for (int t = 0; t < 4; t++)
        for (int r = 0; r < 4; r++) sum[t][r] = _mm512_setzero_si512();
    for (i64 b = 0; b < blocks; b++, w += 256, x += 256) {
        __m512i v[4];
        for (int r = 0; r < 4; r++) v[r] = _mm512_loadu_si512(w + 64 * r);
        for (int s = 0; s < 4; s++) {
            __m512i digit[4];
            for (int r = 0; r < 4; r++) {
                digit[r] = _mm512_and_si512(v[r], three);
                v[r] = _mm512_srli_epi16(v[r], 2);
            }
            for (int t = 0; t < 4; t++) {
                __m512i part = _mm512_loadu_si512(x + t * stride + 64 * s);
                for (int r = 0; r < 4; r++)
                    sum[t][r] = _mm512_dpbusd_epi32(sum[t][r], digit[r], part);
            }
        }
    }
    for (int t = 0; t < 4; t++)
        for (int r = 0; r < 4; r++) out[4 * t + r] = _mm512_reduce_add_epi32(sum[t][r]);
}
#endif
