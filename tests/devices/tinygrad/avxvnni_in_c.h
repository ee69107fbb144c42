// The one AVX-VNNI intrinsic that dot_avx2.c uses, in portable C: the tier's logic runs on every
// processor with AVX2. It knows what the intrinsic is defined to do, nothing more.
#ifndef __AVXVNNI__
#define __AVXVNNI__ 1
#endif
#define _mm256_dpbusd_avx_epi32 dpbusd_in_c
typedef i32 Ints32 __attribute__((vector_size(32)));
typedef u8 Bytes32 __attribute__((vector_size(32)));
typedef s8 Signed32 __attribute__((vector_size(32)));

static inline __m256i dpbusd_in_c(__m256i sum, __m256i a, __m256i b) {
    Ints32 total = (Ints32)sum;
    for (int k = 0; k < 32; k++) total[k / 4] += (i32)((Bytes32)a)[k] * (i32)((Signed32)b)[k];
    return (__m256i)total;
}
