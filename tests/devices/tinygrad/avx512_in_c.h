// The AVX-512 intrinsics that dot_vnni.c uses, in portable C: the tier's logic runs on processors
// that lack the instructions. It knows what each intrinsic is defined to do, nothing more.
#define __AVX512VNNI__ 1
#define __AVX512BW__ 1
typedef i32 __m512i __attribute__((vector_size(64)));
typedef u8 Lanes64 __attribute__((vector_size(64)));
typedef s8 SignedLanes64 __attribute__((vector_size(64)));
typedef unsigned short Words32 __attribute__((vector_size(64)));
typedef i32 Unaligned512 __attribute__((vector_size(64), aligned(1)));

static inline __m512i _mm512_setzero_si512(void) { return (__m512i){}; }
static inline __m512i _mm512_set1_epi8(char v) { return (__m512i)((SignedLanes64){} + (s8)v); }
static inline __m512i _mm512_loadu_si512(const void *p) { return *(const Unaligned512 *)p; }
static inline __m512i _mm512_and_si512(__m512i a, __m512i b) { return a & b; }
static inline __m512i _mm512_srli_epi16(__m512i a, int n) { return (__m512i)((Words32)a >> n); }

static inline __m512i _mm512_dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
    for (int k = 0; k < 64; k++) sum[k / 4] += (i32)((Lanes64)a)[k] * (i32)((SignedLanes64)b)[k];
    return sum;
}

static inline __m512i _mm512_add_epi32(__m512i a, __m512i b) { return a + b; }
static inline __m512i _mm512_sub_epi32(__m512i a, __m512i b) { return a - b; }
static inline __m512i _mm512_add_epi8(__m512i a, __m512i b) {
    return (__m512i)((Lanes64)a + (Lanes64)b);
}

static inline __m512i _mm512_maskz_loadu_epi8(u64 mask, const void *p) {
    Lanes64 v = {};
    for (int k = 0; k < 64; k++)
        if (mask >> k & 1) v[k] = ((const u8 *)p)[k];
    return (__m512i)v;
}

static inline __m512i _mm512_srai_epi32(__m512i a, int n) { return a >> n; }
static inline void _mm512_storeu_si512(void *p, __m512i v) { *(Unaligned512 *)p = v; }

// Within each quarter: the low or the high elements of a and b in turns.
static inline __m512i _mm512_unpacklo_epi32(__m512i a, __m512i b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
}

static inline __m512i _mm512_unpackhi_epi32(__m512i a, __m512i b) {
    return __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15,
                                   31);
}

static inline __m512i _mm512_unpacklo_epi64(__m512i a, __m512i b) {
    return __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
}

static inline __m512i _mm512_unpackhi_epi64(__m512i a, __m512i b) {
    return __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30,
                                   31);
}

// Two quarters of a, then two of b, chosen by two bits each.
static inline __m512i _mm512_shuffle_i32x4(__m512i a, __m512i b, int choice) {
    __m512i out;
    for (int q = 0; q < 4; q++)
        for (int k = 0; k < 4; k++) {
            int from = 4 * (choice >> 2 * q & 3) + k;
            out[4 * q + k] = q < 2 ? a[from] : b[from];
        }
    return out;
}

typedef i32 __m128i __attribute__((vector_size(16)));
typedef i32 Unaligned128 __attribute__((vector_size(16), aligned(1)));

static inline __m128i _mm512_castsi512_si128(__m512i v) {
    return __builtin_shufflevector(v, v, 0, 1, 2, 3);
}

static inline void _mm_storeu_si128(__m128i *p, __m128i v) { *(Unaligned128 *)p = v; }
