// Five trits a byte -> two bits a weight, for the products that have no kernel of their own for it.
// It knows the two layouts of edge_sdk/ternary.py and one group of four rows; no tokens, no sums.

typedef u8 Bytes64 __attribute__((vector_size(64), aligned(1)));
typedef u8 Bytes16 __attribute__((vector_size(16), aligned(1)));

typedef s8 Signed64 __attribute__((vector_size(64)));

// digits[320] of one block's 64 bytes: each is the carry of three times what the last one left. The
// codes are moved down by 128, where processors compare signed bytes in one step; that survives
// tripling, since 3 * 128 is 128 modulo 256.
static inline void digits_of(const u8 *at, u8 *digits) {
    Signed64 code = (Signed64)(*(const Bytes64 *)at ^ 128);
    // Unrolled, clang makes the tripling of a tripling a multiplication, which bytes do not have.
#pragma clang loop unroll(disable)
    for (int d = 0; d < 5; d++) {
        *(Bytes64 *)(digits + 64 * d) = -((Bytes64)(code > 85 - 128) + (Bytes64)(code > 170 - 128));
        code = code + code + code;
    }
}

// ternary1.6 at w: `fives` blocks of 320 columns, then `rest` bytes a row at 2 bits a weight.
// out: ternary2, [blocks, 4, 64]; columns past the last get digit 0, and their x is 0.
static void unpack5(const u8 *w, i64 fives, i64 rest, u8 *out) {
    enum { STEP = 4 };  // blocks of 320 columns, which are five of 256
    for (int r = 0; r < GROUP; r++) {
        const u8 *tail = w + fives * (GROUP * 64) + r * rest;
        u8 *to = out + 64 * r;
        i64 from = 0;
        do {
            u8 digits[STEP * FIVES + COLUMNS] __attribute__((aligned(64)));
            i64 n = 0;
            for (i64 b = 0; b < STEP && from < fives; b++, from++, n += FIVES) {
                const u8 *at = w + from * (GROUP * 64) + 64 * r;
                __builtin_prefetch(at + AHEAD, 0, TWICE);
                digits_of(at, digits + n);
            }
            if (from == fives) {
                for (i64 k = 0; k < rest; k += 16)
                    for (int s = 0; s < 4; s++)
                        *(Bytes16 *)(digits + n + s * rest + k) =
                            *(const Bytes16 *)(tail + k) >> 2 * s & 3;
                for (n += 4 * rest; n % COLUMNS; n += 64) *(Bytes64 *)(digits + n) = (Bytes64){};
            }
            for (const u8 *d = digits; d < digits + n; d += COLUMNS, to += GROUP * 64) {
                const Bytes64 *part = (const Bytes64 *)d;
                *(Bytes64 *)to = part[0] | part[1] << 2 | part[2] << 4 | part[3] << 6;
            }
        } while (from < fives);
    }
}
