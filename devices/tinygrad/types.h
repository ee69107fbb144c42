// What the kernels and Python share: the structures that ctypes fills (structures.py mirrors them).
// Every field is 8 bytes, so that no compiler puts padding between them. It knows no arithmetic.
//
// All .h and .c files of this folder are joined into one source in the order of native.py: the
// compiler reads it from stdin and finds no other file. One function is external, the entry; no
// symbol is left undefined and nothing is zero-initialised at file scope, because tinygrad's
// loader knows neither.

typedef unsigned char u8;
typedef signed char s8;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

#pragma STDC FP_CONTRACT OFF  // the same floats on every processor, with fused multiply-add or not

#define LANES 16
typedef float F __attribute__((vector_size(64)));
typedef i32 I __attribute__((vector_size(64)));
typedef float Floats __attribute__((vector_size(64), aligned(4)));  // F at any address

enum { COLUMNS = 256, FIVES = 320, GROUP = 4 };  // columns a block, rows a group: ternary.py

// Prefetch of weights that are used once: bytes ahead, and the cache to fill (0: the first level,
// past the others; 2: the second level). Measured, docs/performance.md.
#ifdef __CLZERO__  // an instruction of AMD's Zen family alone
enum { AHEAD = 12288, ONCE = 0 };
#else
enum { AHEAD = 8192, ONCE = 2 };
#endif
enum { TWICE = 2 };  // of weights that several tokens meet: always the second level

enum { ADVANCE, WORK, MEASURE, ACCUMULATE, QUANTISE, ACTIVATE, READ };

typedef struct {
    const u8 *planes;   // ternary2 or ternary1.6, row group after row group
    const float *norm;  // inner norm weights [width]
    double step;
    i64 rows, width;
    i64 five;  // 1: ternary1.6, five trits a byte
} Matrix;

typedef struct {
    const float *attn_norm, *g_norm, *mlp_norm, *bound;  // [d] each
    Matrix i, f, g, o, gate, down;
} Layer;

typedef struct {
    i64 layers, width, inner, vocab;
    double eps;
    const Layer *layer;
    const float *norm;  // [d], before the head
    Matrix head;
} Model;

typedef struct {
    const Matrix *matrix;
    const s8 *x;         // quantised activations, [tokens, stride]
    const i32 *sum;      // [tokens], the sum of each row of x
    const float *worth;  // [tokens], what an integer step of each row is worth
    float *out;          // [tokens, out_stride]
    i64 out_stride, add;
    i32 *exact;  // the integer sums, instead of out; for the self-test
} Product;

typedef struct Pool Pool;

enum { PRODUCT, MIX, GATES, OUTPUT, CHANNEL, GATED, FINAL, SUM };  // what the tiles compute
enum { MAX_TILES = 0xffff };                                       // of a region

typedef struct {
    i64 groups, each;  // groups of rows a tile, tiles a product
} Cut;

typedef struct {
    i64 op;
    const Model *model;
    Pool *pool;      // null: this thread alone
    i64 tokens;      // in this call
    i64 wanted;      // logits of the last so many tokens
    float *x;        // [tokens, row], residual: embeddings in, last layer's output out
    float *state;    // [layers, row], in place
    float *logits;   // [wanted, vocab]
    u8 *scratch;     // what MEASURE asked for
    i64 scratch_bytes, tier, row;  // written by MEASURE; row: floats from one row to the next
    // Cut out of scratch by the entry:
    float *temp;   // [tokens, wide]
    float *both;   // [tokens, wide2]: i, f and g, or gate and up
    s8 *q;         // [3, tokens, stride]
    i32 *sum;      // [3, tokens]
    float *worth;  // [3, tokens]
    u8 *tile;      // [threads, tile_bytes], ternary2 of a tile of ternary1.6
    i64 wide, wide2, stride, tile_bytes;
    const Layer *layer;  // the one that is computed
    Product product[3];
    Cut cut;               // of the products under way
    const Matrix *next;    // the first matrix of the next products
    i64 next_products;
    const void *source;    // self-test and probe: input and output
    void *target;
    i64 count;
} Work;
