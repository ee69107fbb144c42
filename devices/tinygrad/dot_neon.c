// The ternary dot product with NEON: s8 x s8 in groups of four where the processor has the dot
// product instructions (ARMv8.2), else s8 x s8 summed in int16 and widened before it overflows.
// It knows one group of four packed rows; it does not know matrices, tokens' meaning or scales.

#if !defined(TIER) && defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>

#ifdef __ARM_FEATURE_DOTPROD
#define TIER 5
typedef struct {
    int32x4_t sum;
} Sum;

static inline Sum none(void) { return (Sum){vdupq_n_s32(0)}; }

static inline Sum more(Sum s, int8x16_t digit, int8x16_t x) {
    return (Sum){vdotq_s32(s.sum, digit, x)};
}

static inline Sum settled(Sum s) { return s; }

static inline i32 total(Sum s) { return vaddvq_s32(s.sum); }
#else
#define TIER 4
// A lane of `wide` gets two products of at most 254 for each `more`: eight blocks' worth, 16 calls
// a block and pair of lanes, would overflow; `settled` after every block (16 calls) keeps it below
// 16 * 2 * 254 = 8128.
typedef struct {
    int16x8_t wide;
    int32x4_t sum;
} Sum;

static inline Sum none(void) { return (Sum){vdupq_n_s16(0), vdupq_n_s32(0)}; }

static inline Sum more(Sum s, int8x16_t digit, int8x16_t x) {
    s.wide = vmlal_s8(s.wide, vget_low_s8(digit), vget_low_s8(x));
    return (Sum){vmlal_high_s8(s.wide, digit, x), s.sum};
}

static inline Sum settled(Sum s) {
    return (Sum){vdupq_n_s16(0), vpadalq_s16(s.sum, s.wide)};
}

static inline i32 total(Sum s) { return vaddvq_s32(s.sum); }
#endif

// Both instructions are signed, and a digit in the top plane would be negative where it lies: every
// plane is shifted down.
static inline int8x16_t digits(uint8x16_t v, int plane) {
    uint8x16_t down = plane == 0   ? v
                      : plane == 1 ? vshrq_n_u8(v, 2)
                      : plane == 2 ? vshrq_n_u8(v, 4)
                                   : vshrq_n_u8(v, 6);
    return vreinterpretq_s8_u8(vandq_u8(down, vdupq_n_u8(3)));
}

// out[4] = sum(digit * x) of four rows, int8 x [blocks * 256].
static inline void rows4(const u8 *w, const s8 *x, i64 blocks, i32 *out) {
    Sum sum[4];
    for (int r = 0; r < 4; r++) sum[r] = none();
    for (i64 b = 0; b < blocks; b++, w += 256, x += 256) {
        for (int r = 0; r < 4; r++) __builtin_prefetch(w + AHEAD + 64 * r, 0, ONCE);
        for (int part = 0; part < 64; part += 16)
            for (int r = 0; r < 4; r++) {
                uint8x16_t v = vld1q_u8(w + 64 * r + part);
                for (int s = 0; s < 4; s++)
                    sum[r] = more(sum[r], digits(v, s), vld1q_s8(x + 64 * s + part));
            }
        for (int r = 0; r < 4; r++) sum[r] = settled(sum[r]);
    }
    for (int r = 0; r < 4; r++) out[r] = total(sum[r]);
}

// out[4 t + r] = the same of four rows x four tokens, the tokens' x `stride` apart.
static inline void rows4x4(const u8 *w, const s8 *x, i64 stride, i64 blocks, i32 *out) {
    for (int r = 0; r < 4; r++) {
        Sum sum[4];
        for (int t = 0; t < 4; t++) sum[t] = none();
        for (i64 b = 0; b < blocks; b++) {
            for (int part = 0; part < 64; part += 16) {
                uint8x16_t v = vld1q_u8(w + 256 * b + 64 * r + part);
                for (int s = 0; s < 4; s++) {
                    int8x16_t digit = digits(v, s);
                    const s8 *at = x + 256 * b + 64 * s + part;
                    for (int t = 0; t < 4; t++)
                        sum[t] = more(sum[t], digit, vld1q_s8(at + t * stride));
                }
            }
            for (int t = 0; t < 4; t++) sum[t] = settled(sum[t]);
        }
        for (int t = 0; t < 4; t++) out[4 * t + r] = total(sum[t]);
    }
}
#endif
