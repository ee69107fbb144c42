// The ternary dot product with AVX512-VNNI: u8 x s8 in groups of four, summed in int32.
// It knows one group of four packed rows; it does not know matrices, tokens' meaning or scales.

#if !defined(TIER) && defined(__AVX512VNNI__) && defined(__AVX512BW__)
#define TIER 3
#include <immintrin.h>

// Four vectors -> in each quarter of one vector, a part of the sum of each: [a, b, c, d] x 4.
static inline __m512i quarters(const __m512i *v) {
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]),
                                  _mm512_unpackhi_epi32(v[0], v[1]));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]),
                                  _mm512_unpackhi_epi32(v[2], v[3]));
    return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

// The sums of the even and the odd quarters of two vectors: [a01, a23, b01, b23].
static inline __m512i pairs(__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

// out[4], out[16] = the sum of each vector's lanes; adding them up together takes a third of the
// instructions of adding up each by itself.
static inline void store_sums4(const __m512i *v, i32 *out) {
    __m512i all = quarters(v), half = pairs(all, all);
    _mm_storeu_si128((__m128i *)out, _mm512_castsi512_si128(pairs(half, half)));
}

static inline void store_sums16(const __m512i *v, i32 *out) {
    __m512i low = pairs(quarters(v), quarters(v + 4));
    __m512i high = pairs(quarters(v + 8), quarters(v + 12));
    _mm512_storeu_si512(out, pairs(low, high));
}

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
            __builtin_prefetch(w + AHEAD + 64 * r, 0, ONCE);
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
    __m512i row[4];
    for (int r = 0; r < 4; r++) {
        // Exact lane by lane: all products of plane s are multiples of 4^s.
        __m512i low = _mm512_add_epi32(sum[r][0], _mm512_srai_epi32(sum[r][1], 2));
        __m512i high = _mm512_add_epi32(_mm512_srai_epi32(sum[r][2], 4),
                                        _mm512_srai_epi32(sum[r][3], 6));
        row[r] = _mm512_add_epi32(low, high);
    }
    store_sums4(row, out);
}

#define FIVES_HERE 1  // sums of digits

// Else clang makes the tripling of a tripling a multiplication, which bytes do not have.
#ifdef __AVX512F__
#define OPAQUE(vector) __asm__("" : "+v"(vector))
#else
#define OPAQUE(vector) (void)(vector)
#endif

// out[4] = the same of ternary1.6: `blocks` of 320 columns, then `rest` bytes a row at 2 bits a
// weight. With t_0 the byte and t_(d+1) = 3 t_d mod 256, digit d is (3 t_d - t_(d+1)) / 256: the
// digits themselves are never made, and the two sums are put together once at the end.
static inline void rows4_five(const u8 *w, const s8 *x, i64 blocks, i64 rest, i32 *out) {
    __m512i now[4][2], next[4][2], row[4];
    for (int r = 0; r < 4; r++)
        for (int k = 0; k < 2; k++) now[r][k] = next[r][k] = _mm512_setzero_si512();
    for (i64 b = 0; b < blocks; b++, w += 256, x += 320) {
        __m512i part[5];
        for (int d = 0; d < 5; d++) part[d] = _mm512_loadu_si512(x + 64 * d);
#pragma clang loop unroll(full)
        for (int r = 0; r < 4; r++) {
            __builtin_prefetch(w + AHEAD + 64 * r, 0, ONCE);
            __m512i t = _mm512_loadu_si512(w + 64 * r);
#pragma clang loop unroll(full)
            for (int d = 0; d < 5; d++) {
                now[r][d & 1] = _mm512_dpbusd_epi32(now[r][d & 1], t, part[d]);
                t = _mm512_add_epi8(_mm512_add_epi8(t, t), t);
                OPAQUE(t);
                next[r][d & 1] = _mm512_dpbusd_epi32(next[r][d & 1], t, part[d]);
            }
        }
    }
    u64 bytes = rest == 64 ? ~0ULL : (1ULL << rest) - 1;
    for (int r = 0; r < 4; r++) {
        __m512i all = _mm512_add_epi32(now[r][0], now[r][1]);
        __m512i off = _mm512_add_epi32(next[r][0], next[r][1]);
        all = _mm512_sub_epi32(_mm512_add_epi32(_mm512_add_epi32(all, all), all), off);
        row[r] = _mm512_srai_epi32(all, 8);
        __m512i v = _mm512_maskz_loadu_epi8(bytes, w + r * rest);
        for (int s = 0; s < 4; s++) {
            __m512i digit = _mm512_and_si512(v, _mm512_set1_epi8(3));
            row[r] = _mm512_dpbusd_epi32(row[r], digit,
                                         _mm512_maskz_loadu_epi8(bytes, x + s * rest));
            v = _mm512_srli_epi16(v, 2);
        }
    }
    store_sums4(row, out);
}

// out[4 t + r] = the same of ternary2 for four rows x four tokens, the tokens' x `stride` apart.
// The digits are shifted down once for all tokens, so one accumulator a pair is enough.
static inline void rows4x4(const u8 *w, const s8 *x, i64 stride, i64 blocks, i32 *out) {
    __m512i sum[4][4], three = _mm512_set1_epi8(3);
    for (int t = 0; t < 4; t++)
        for (int r = 0; r < 4; r++) sum[t][r] = _mm512_setzero_si512();
    for (i64 b = 0; b < blocks; b++, w += 256, x += 256) {
        __m512i v[4];
        for (int r = 0; r < 4; r++) {
            __builtin_prefetch(w + AHEAD + 64 * r, 0, TWICE);
            v[r] = _mm512_loadu_si512(w + 64 * r);
        }
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
    store_sums16(sum[0], out);
}
#endif
