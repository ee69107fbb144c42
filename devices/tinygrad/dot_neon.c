// The ternary dot product with NEON: s8 x s8 in groups of four where the processor has the dot
// product instructions (ARMv8.2), else s8 x s8 summed in int16 and widened before it overflows.
// It knows one group of four packed rows; it does not know matrices, tokens' meaning or scales.
//
// A vector is 16 columns. Loops over rows, planes and digits are unrolled, so that the sums stay in
// registers.

#if !defined(TIER) && defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>

#define UNROLL _Pragma("clang loop unroll(full)")

static inline uint8x16_t masked(uint8x16_t v, u8 mask) { return vandq_u8(v, vdupq_n_u8(mask)); }

// Else clang finds other forms, which take more instructions or more constants than registers hold.
#define OPAQUE(vector) __asm__("" : "+w"(vector))

static inline int8x16_t constant(s8 v) {
    int8x16_t all = vdupq_n_s8(v);
    OPAQUE(all);
    return all;
}

static inline int8x16_t as_signed(uint8x16_t v) { return vreinterpretq_s8_u8(v); }

// Both instructions are signed: a digit of the top plane is negative where it lies, and is shifted
// down. The other planes are masked where they lie, worth 4 and 16, as far as the sums have room.
#ifdef __ARM_FEATURE_DOTPROD
#define TIER 5
// A block of 320 columns adds at most 20 * 4 * 127 * 256 to a lane of 256 times the sum of trits.
enum { SAFE_BLOCKS = 1 << 30, SAFE_FIVES = 512 };
typedef int32x4_t Part;

static inline Part more(Part sum, int8x16_t a, int8x16_t x) { return vdotq_s32(sum, a, x); }

static inline int32x4_t widen(Part sum) { return sum; }

typedef struct {
    Part ones, fours, sixteens;
} Planes;

static inline Planes planes_more(Planes p, uint8x16_t v, const int8x16_t *x) {
    return (Planes){more(more(p.ones, as_signed(masked(v, 0x03)), x[0]),
                         as_signed(vshrq_n_u8(v, 6)), x[3]),
                    more(p.fours, as_signed(masked(v, 0x0c)), x[1]),
                    more(p.sixteens, as_signed(masked(v, 0x30)), x[2])};
}

static inline int32x4_t planes_sum(Planes p) {
    return vsraq_n_s32(vsraq_n_s32(p.ones, p.fours, 2), p.sixteens, 4);
}

// As in dot_vnni.c, but with s = t - 128 in place of the code t: 3 s_d - s_(d+1) is then 256 times
// the trit, not the digit, and s_(d+1) is 3 s_d modulo 256 still.
typedef struct {
    Part now, next;
} Fives;

typedef struct {
    int8x16_t three;
} Constants;

static inline Constants constants(void) { return (Constants){constant(3)}; }

static inline int8x16_t triple(int8x16_t code, Constants c) { return vmulq_s8(code, c.three); }

static inline Fives trit_more(Fives f, int8x16_t code, int8x16_t tripled, int8x16_t x,
                              Constants c) {
    (void)c;
    return (Fives){more(f.now, code, x), more(f.next, tripled, x)};
}

static inline int32x4_t fives_sum(Fives f) {
    return vshrq_n_s32(vsubq_s32(vmulq_n_s32(f.now, 3), f.next), 8);
}
#else
#define TIER 4
// A lane gets two products a vector. Of a block, plane 1 adds at most 4 * 2 * 8 * 127 = 8128 to
// `fours`, the three others 12 * 2 * 2 * 127 to `ones`; four blocks fit in 32 767. A block of 320
// columns adds 20 * 2 * 127 = 5080.
enum { SAFE_BLOCKS = 4, SAFE_FIVES = 6 };
typedef int16x8_t Part;

static inline Part more(Part sum, int8x16_t a, int8x16_t x) {
    return vmlal_high_s8(vmlal_s8(sum, vget_low_s8(a), vget_low_s8(x)), a, x);
}

static inline int32x4_t widen(Part sum) { return vpaddlq_s16(sum); }

typedef struct {
    Part ones, fours;
} Planes;

static inline Planes planes_more(Planes p, uint8x16_t v, const int8x16_t *x) {
    Part low = more(p.ones, as_signed(masked(v, 0x03)), x[0]);
    Part middle = more(low, as_signed(masked(vshrq_n_u8(v, 4), 0x03)), x[2]);
    return (Planes){more(middle, as_signed(vshrq_n_u8(v, 6)), x[3]),
                    more(p.fours, as_signed(masked(v, 0x0c)), x[1])};
}

static inline int32x4_t planes_sum(Planes p) {
    return vsraq_n_s32(widen(p.ones), widen(p.fours), 2);
}

// The trits themselves, of s = t - 128 (unpack.c says why).
typedef struct {
    Part now;
} Fives;

typedef struct {
    int8x16_t one, two;  // the least s of each digit
} Constants;

static inline Constants constants(void) {
    return (Constants){constant(86 - 128), constant(171 - 128)};
}

// The multiplier has enough to do.
static inline int8x16_t triple(int8x16_t code, Constants c) {
    (void)c;
    int8x16_t doubled = vaddq_s8(code, code);
    OPAQUE(doubled);
    return vaddq_s8(doubled, code);
}

static inline Fives trit_more(Fives f, int8x16_t code, int8x16_t tripled, int8x16_t x,
                              Constants c) {
    (void)tripled;
    // Compared, true is -1.
    uint8x16_t is0 = vcltq_s8(code, c.one), is2 = vcgeq_s8(code, c.two);
    OPAQUE(is2);
    return (Fives){more(f.now, as_signed(vsubq_u8(is0, is2)), x)};
}

static inline int32x4_t fives_sum(Fives f) { return widen(f.now); }
#endif

// The sum of each vector's lanes.
static inline int32x4_t totals(const int32x4_t *v) {
    return vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3]));
}

// out[4] = sum(digit * x) of four rows, int8 x [blocks * 256].
static inline void rows4(const u8 *w, const s8 *x, i64 blocks, i32 *out) {
    int32x4_t sum[4] = {};
    while (blocks) {
        i64 now = blocks < SAFE_BLOCKS ? blocks : SAFE_BLOCKS;
        Planes part[4] = {};
        for (i64 b = 0; b < now; b++, w += 256, x += 256) {
            UNROLL for (int r = 0; r < 4; r++) __builtin_prefetch(w + AHEAD + 64 * r, 0, ONCE);
            UNROLL for (int k = 0; k < 64; k += 16) {
                int8x16_t at[4];
                UNROLL for (int s = 0; s < 4; s++) at[s] = vld1q_s8(x + 64 * s + k);
                UNROLL for (int r = 0; r < 4; r++)
                    part[r] = planes_more(part[r], vld1q_u8(w + 64 * r + k), at);
            }
        }
        UNROLL for (int r = 0; r < 4; r++) sum[r] = vaddq_s32(sum[r], planes_sum(part[r]));
        blocks -= now;
    }
    vst1q_s32(out, totals(sum));
}

#define FIVES_HERE 0  // sums of trits

// out[4] = sum(trit * x) of ternary1.6: `blocks` of 320 columns, then `rest` bytes a row at 2 bits
// a weight.
static inline void rows4_five(const u8 *w, const s8 *x, i64 blocks, i64 rest, i32 *out) {
    const int8x16_t down = constant(-128);
    const Constants c = constants();
    int32x4_t sum[4] = {};
    while (blocks) {
        i64 now = blocks < SAFE_FIVES ? blocks : SAFE_FIVES;
        Fives part[4] = {};
        for (i64 b = 0; b < now; b++, w += 256, x += 320) {
            UNROLL for (int r = 0; r < 4; r++) __builtin_prefetch(w + AHEAD + 64 * r, 0, ONCE);
            // Unrolled whole, the sums of plain NEON would leave the registers.
#pragma clang loop unroll_count(2)
            for (int k = 0; k < 64; k += 16) {
                int8x16_t code[4];
                UNROLL for (int r = 0; r < 4; r++)
                    code[r] = veorq_s8(as_signed(vld1q_u8(w + 64 * r + k)), down);
                UNROLL for (int d = 0; d < 5; d++) {
                    int8x16_t at = vld1q_s8(x + 64 * d + k);
                    UNROLL for (int r = 0; r < 4; r++) {
                        int8x16_t tripled = triple(code[r], c);
                        part[r] = trit_more(part[r], code[r], tripled, at, c);
                        code[r] = tripled;
                    }
                }
            }
        }
        UNROLL for (int r = 0; r < 4; r++) sum[r] = vaddq_s32(sum[r], fives_sum(part[r]));
        blocks -= now;
    }
    for (i64 k = 0; k < rest; k += 16) {
        int8x16_t at[4];
        Part over = {};
        UNROLL for (int s = 0; s < 4; s++) {
            at[s] = vld1q_s8(x + s * rest + k);
            over = more(over, vdupq_n_s8(1), at[s]);
        }
        UNROLL for (int r = 0; r < 4; r++) {
            Planes part = planes_more((Planes){}, vld1q_u8(w + r * rest + k), at);
            sum[r] = vaddq_s32(sum[r], vsubq_s32(planes_sum(part), widen(over)));
        }
    }
    vst1q_s32(out, totals(sum));
}

// out[4 t + r] = the same of ternary2 for four rows x four tokens, the tokens' x `stride` apart.
// All planes are shifted down, so that one sum a pair is enough.
static inline void rows4x4(const u8 *w, const s8 *x, i64 stride, i64 blocks, i32 *out) {
    int32x4_t sum[4][4] = {};
    while (blocks) {
        i64 now = blocks < SAFE_BLOCKS ? blocks : SAFE_BLOCKS;
        Part part[4][4] = {};
        for (i64 b = 0; b < now; b++, w += 256, x += 256)
            for (int k = 0; k < 64; k += 16) {
                uint8x16_t v[4];
                UNROLL for (int r = 0; r < 4; r++) v[r] = vld1q_u8(w + 64 * r + k);
                UNROLL for (int s = 0; s < 4; s++) {
                    int8x16_t digit[4];
                    UNROLL for (int r = 0; r < 4; r++) {
                        digit[r] = as_signed(s < 3 ? masked(v[r], 3) : v[r]);
                        if (s < 3) v[r] = vshrq_n_u8(v[r], 2);
                    }
                    UNROLL for (int t = 0; t < 4; t++) {
                        int8x16_t at = vld1q_s8(x + t * stride + 64 * s + k);
                        UNROLL for (int r = 0; r < 4; r++)
                            part[t][r] = more(part[t][r], digit[r], at);
                    }
                }
            }
        UNROLL for (int t = 0; t < 4; t++)
            UNROLL for (int r = 0; r < 4; r++)
                sum[t][r] = vaddq_s32(sum[t][r], widen(part[t][r]));
        blocks -= now;
    }
    UNROLL for (int t = 0; t < 4; t++) vst1q_s32(out + 4 * t, totals(sum[t]));
}
#endif
