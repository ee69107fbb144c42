// The AVX-512 intrinsics that dot_vnni.c uses, in portable C: the tier's logic runs on processors
// that lack the instructions. It knows what each intrinsic is defined to do, nothing more.
#define __AVX512VNNI__ 1
#define __AVX512BW__ 1
typedef i32 __m512i __attribute__((vector_size(64)));
typedef u8 Bytes64 __attribute__((vector_size(64)));
typedef s8 Signed64 __attribute__((vector_size(64)));
typedef unsigned short Words32 __attribute__((vector_size(64)));
typedef i32 Unaligned512 __attribute__((vector_size(64), aligned(1)));

static inline __m512i _mm512_setzero_si512(void) { return (__m512i){}; }
static inline __m512i _mm512_set1_epi8(char v) { return (__m512i)((Signed64){} + (s8)v); }
static inline __m512i _mm512_loadu_si512(const void *p) { return *(const Unaligned512 *)p; }
static inline __m512i _mm512_and_si512(__m512i a, __m512i b) { return a & b; }
static inline __m512i _mm512_srli_epi16(__m512i a, int n) { return (__m512i)((Words32)a >> n); }

static inline __m512i _mm512_dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
    for (int k = 0; k < 64; k++) sum[k / 4] += (i32)((Bytes64)a)[k] * (i32)((Signed64)b)[k];
    return sum;
}

static inline i32 _mm512_reduce_add_epi32(__m512i a) {
    i32 sum = 0;
    for (int k = 0; k < 16; k++) sum += a[k];
    return sum;
}
