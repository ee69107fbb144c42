// What `bench` and the self-test ask: the time to read the weights, and decode's integer sums.
// It knows how these are handed over; it does not know what is made of them.

// Reads the packed weights and computes nothing: the least time that a token can take.
extern "C" __global__ void __launch_bounds__(1024)
edge_read(const __grid_constant__ Args a, i64 bytes) {
    u32 sum = 0;
    i64 step = (i64)gridDim.x * 1024 * 16;
    for (i64 at = ((i64)blockIdx.x * 1024 + threadIdx.x) * 16; at + 16 <= bytes; at += step) {
        uint4 v = __ldg((const uint4 *)(a.planes + at));
        sum ^= v.x ^ v.y ^ v.z ^ v.w;
    }
    // Hardly ever true and harmless, but without it the compiler would leave the reading out.
    if (sum == 0xffffffffu) a.sum[0] = 0;
}

// The exact sums of the decode path for one int8 row of q and the output projection of layer 0: in
// sum[0 .. WIDTH) as the head gets its weights, in sum[ROW_D ..) as the layers do.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
edge_sums(const __grid_constant__ Args a) {
    extern __shared__ __align__(128) u8 shared[];
    __shared__ Fixed fixed;
    Block b = start(a, fixed, shared, 0);
    const u8 *matrix = layer_planes(a, 0) + 3 * SQUARE;
    for (int n = threadIdx.x; n < ROW_D; n += THREADS) fixed.q[n] = a.q[n];
    __syncthreads();
    Rows<1, BLOCKS_D, false> direct;
    direct.begin(b, matrix, 0, b.width);
    direct.multiply(b, 0);
    int k = own_row(b.width, WIDTH);
    if (k >= 0) a.sum[k] = b.acc[threadIdx.x];
    if (in_share(b.width)) b.acc[threadIdx.x] = 0;
    __syncthreads();
    Rows<1, BLOCKS_D, STORED> layers;
    Ahead<1, BLOCKS_D> ahead = {matrix, 0, b.width, 0, 0};
    ahead.all(b);
    layers.begin(b, matrix, 0, b.width);
    layers.multiply(b, 0);
    if (k >= 0) a.sum[ROW_D + k] = b.acc[threadIdx.x];
}
