// The ternary dot product with AVX2: u8 x s8 pairs summed in int16, widened before they overflow;
// with AVX-VNNI where there is that, which sums groups of four in int32 at once.
// It knows one group of four packed rows; it does not know matrices, tokens' meaning or scales.
//
// The high nibbles are shifted down once, so that a byte holds digits worth 1 (planes 0 and 2) and
// 4 (planes 1 and 3). A step of 32 bytes adds two pairs of each kind to an int16 lane: at most
// 2 * 2 * 2 * 127 = 1016 and 4 * 1016 = 4064. Eight steps (four blocks) fit: 32 512 < 32 767.

#if !defined(TIER) && defined(__AVX2__)
#include <immintrin.h>

static inline __m128i load16(const void *p) { return _mm_loadu_si128((const __m128i *)p); }
static inline __m256i load32(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }

#ifdef __AVXVNNI__
#define TIER 6
#define SAFE_BLOCKS (1LL << 40)

// sum + a * x + b * y
static inline __m256i more(__m256i sum, __m256i a, const s8 *x, __m256i b, const s8 *y) {
    return _mm256_dpbusd_avx_epi32(_mm256_dpbusd_avx_epi32(sum, a, load32(x)), b, load32(y));
}

// 4 * (planes 0 and 2) + (planes 1 and 3): four times the sum of digit * x.
static inline __m256i widen(__m256i ones, __m256i fours) {
    return _mm256_add_epi32(_mm256_slli_epi32(ones, 2), fours);
}
#else
#define TIER 2
#define SAFE_BLOCKS 4

static inline __m256i more(__m256i sum, __m256i a, const s8 *x, __m256i b, const s8 *y) {
    return _mm256_add_epi16(sum, _mm256_add_epi16(_mm256_maddubs_epi16(a, load32(x)),
                                                  _mm256_maddubs_epi16(b, load32(y))));
}

static inline __m256i widen(__m256i ones, __m256i fours) {
    return _mm256_add_epi32(_mm256_madd_epi16(ones, _mm256_set1_epi16(4)),
                            _mm256_madd_epi16(fours, _mm256_set1_epi16(1)));
}
#endif

static inline __m128i halves(__m256i v) {
    return _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

// The sum of each vector's lanes.
static inline __m128i totals(const __m256i *v) {
    __m128i first = _mm_hadd_epi32(halves(v[0]), halves(v[1]));
    __m128i last = _mm_hadd_epi32(halves(v[2]), halves(v[3]));
    return _mm_hadd_epi32(first, last);
}

// A quarter of it; exact, because every lane is a multiple of 4.
static inline void quarter_sums(const __m256i *v, i32 *out) {
    _mm_storeu_si128((__m128i *)out, _mm_srai_epi32(totals(v), 2));
}

// out[4] = sum(digit * x) of four rows, int8 x [blocks * 256].
static inline void rows4(const u8 *w, const s8 *x, i64 blocks, i32 *out) {
    const __m256i low = _mm256_set1_epi8(0x03), next = _mm256_set1_epi8(0x0c);
    __m256i sum[4];
    for (int r = 0; r < 4; r++) sum[r] = _mm256_setzero_si256();
    while (blocks) {
        i64 now = blocks < SAFE_BLOCKS ? blocks : SAFE_BLOCKS;
        __m256i ones[4], fours[4];
        for (int r = 0; r < 4; r++) ones[r] = fours[r] = _mm256_setzero_si256();
        for (i64 b = 0; b < now; b++, w += 256, x += 256) {
            for (int r = 0; r < 4; r++) __builtin_prefetch(w + AHEAD + 64 * r, 0, ONCE);
            for (int half = 0; half < 64; half += 32) {
                const s8 *at = x + half;
                for (int r = 0; r < 4; r++) {
                    __m256i v = load32(w + 64 * r + half), high = _mm256_srli_epi16(v, 4);
                    ones[r] = more(ones[r], _mm256_and_si256(v, low), at,
                                   _mm256_and_si256(high, low), at + 128);
                    fours[r] = more(fours[r], _mm256_and_si256(v, next), at + 64,
                                    _mm256_and_si256(high, next), at + 192);
                }
            }
        }
        for (int r = 0; r < 4; r++) sum[r] = _mm256_add_epi32(sum[r], widen(ones[r], fours[r]));
        blocks -= now;
    }
    quarter_sums(sum, out);
}

#define FIVES_HERE 1  // sums of digits

// Sums of ternary1.6, a digit of 32 columns at a time.
#ifdef __AVXVNNI__
// As in dot_vnni.c: digit = (3 code - tripled code) / 256, made of two sums at the end. A block
// adds at most 3 * 40 * 255 * 127 to a lane.
enum { SAFE_FIVES = 512, BIAS = 0 };
typedef struct {
    __m256i now, next;
} Fives;

static inline Fives digit_more(Fives f, __m256i code, __m256i tripled, __m256i x) {
    return (Fives){_mm256_dpbusd_avx_epi32(f.now, code, x),
                   _mm256_dpbusd_avx_epi32(f.next, tripled, x)};
}

static inline __m256i settled(Fives f) {
    __m256i three = _mm256_add_epi32(_mm256_add_epi32(f.now, f.now), f.now);
    return _mm256_srai_epi32(_mm256_sub_epi32(three, f.next), 8);
}
#else
// The digits themselves; codes are moved down by 128 to be compared as signed bytes (unpack.c says
// why). A block adds ten pairs of digits to a lane, 10 * 2 * 2 * 127 = 5080.
enum { SAFE_FIVES = 6, BIAS = -128 };
typedef struct {
    __m256i now;
} Fives;

static inline Fives digit_more(Fives f, __m256i code, __m256i tripled, __m256i x) {
    (void)tripled;
    __m256i least1 = _mm256_cmpgt_epi8(code, _mm256_set1_epi8(85 - 128));
    __m256i least2 = _mm256_cmpgt_epi8(code, _mm256_set1_epi8(170 - 128));
    __m256i digit = _mm256_sub_epi8(_mm256_sub_epi8(_mm256_setzero_si256(), least1), least2);
    return (Fives){_mm256_add_epi16(f.now, _mm256_maddubs_epi16(digit, x))};
}

static inline __m256i settled(Fives f) {
    return _mm256_madd_epi16(f.now, _mm256_set1_epi16(1));
}
#endif

// out[4] = the same of ternary1.6: `blocks` of 320 columns, then `rest` bytes a row at 2 bits a
// weight.
static inline void rows4_five(const u8 *w, const s8 *x, i64 blocks, i64 rest, i32 *out) {
    __m256i sum[4];
    for (int r = 0; r < 4; r++) sum[r] = _mm256_setzero_si256();
    while (blocks) {
        i64 now = blocks < SAFE_FIVES ? blocks : SAFE_FIVES;
        Fives part[4];
        for (int r = 0; r < 4; r++) part[r] = (Fives){};
        for (i64 b = 0; b < now; b++, w += 256, x += 320) {
            for (int r = 0; r < 4; r++) __builtin_prefetch(w + AHEAD + 64 * r, 0, ONCE);
            for (int half = 0; half < 64; half += 32) {
                __m256i code[4];
#pragma clang loop unroll(full)
                for (int r = 0; r < 4; r++)
                    code[r] = _mm256_xor_si256(load32(w + 64 * r + half), _mm256_set1_epi8(BIAS));
#pragma clang loop unroll(full)
                for (int d = 0; d < 5; d++) {
                    __m256i at = load32(x + 64 * d + half);
#pragma clang loop unroll(full)
                    for (int r = 0; r < 4; r++) {
                        __m256i tripled =
                            _mm256_add_epi8(_mm256_add_epi8(code[r], code[r]), code[r]);
                        // Else clang makes the tripling of a tripling a multiplication, which
                        // bytes do not have.
                        __asm__("" : "+x"(tripled));
                        part[r] = digit_more(part[r], code[r], tripled, at);
                        code[r] = tripled;
                    }
                }
            }
        }
        for (int r = 0; r < 4; r++) sum[r] = _mm256_add_epi32(sum[r], settled(part[r]));
        blocks -= now;
    }
    for (i64 k = 0; k < rest; k += 16)
        for (int r = 0; r < 4; r++) {
            __m128i v = load16(w + r * rest + k);
            for (int s = 0; s < 4; s++) {
                __m128i digit = _mm_and_si128(v, _mm_set1_epi8(3));
                __m128i pairs = _mm_maddubs_epi16(digit, load16(x + s * rest + k));
                pairs = _mm_madd_epi16(pairs, _mm_set1_epi16(1));
                sum[r] = _mm256_add_epi32(sum[r], _mm256_inserti128_si256(
                                                      _mm256_setzero_si256(), pairs, 0));
                v = _mm_srli_epi16(v, 2);
            }
        }
    _mm_storeu_si128((__m128i *)out, totals(sum));
}

// out[4 t + r] = the same of ternary2 for four rows x four tokens, the tokens' x `stride` apart.
// Row by row: a row's masked weights and eight accumulators fill the sixteen registers.
static inline void rows4x4(const u8 *w, const s8 *x, i64 stride, i64 blocks, i32 *out) {
    const __m256i low = _mm256_set1_epi8(0x03), next = _mm256_set1_epi8(0x0c);
    for (int r = 0; r < 4; r++) {
        __m256i sum[4];
        for (int t = 0; t < 4; t++) sum[t] = _mm256_setzero_si256();
        for (i64 from = 0; from < blocks; from += SAFE_BLOCKS) {
            i64 to = from + SAFE_BLOCKS < blocks ? from + SAFE_BLOCKS : blocks;
            __m256i ones[4], fours[4];
            for (int t = 0; t < 4; t++) ones[t] = fours[t] = _mm256_setzero_si256();
            for (i64 b = from; b < to; b++)
                for (int half = 0; half < 64; half += 32) {
                    __m256i v = load32(w + 256 * b + 64 * r + half);
                    __m256i high = _mm256_srli_epi16(v, 4);
                    __m256i d0 = _mm256_and_si256(v, low), d1 = _mm256_and_si256(v, next);
                    __m256i d2 = _mm256_and_si256(high, low), d3 = _mm256_and_si256(high, next);
                    for (int t = 0; t < 4; t++) {
                        const s8 *at = x + t * stride + 256 * b + half;
                        ones[t] = more(ones[t], d0, at, d2, at + 128);
                        fours[t] = more(fours[t], d1, at + 64, d3, at + 192);
                    }
                }
            for (int t = 0; t < 4; t++) sum[t] = _mm256_add_epi32(sum[t], widen(ones[t], fours[t]));
        }
        i32 row[4];
        quarter_sums(sum, row);
        for (int t = 0; t < 4; t++) out[4 * t + r] = row[t];
    }
}
#endif
