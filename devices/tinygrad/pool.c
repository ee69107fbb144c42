// Parallel regions: a caller and its workers take numbered tiles until none is left.
// It knows threads, tiles and waiting; it does not know what a tile computes.
//
// A worker that the system does not run takes no tile, so nobody waits for it. The ticket holds
// the region's number and how many tiles are left in one word: a worker that comes late can take
// nothing from a region that is over, and what describes a region changes only after its last tile.

struct Pool {
    u64 ticket __attribute__((aligned(64)));  // region number << 32 | tiles left
    u64 done __attribute__((aligned(64)));    // tiles finished
    i32 bell __attribute__((aligned(64)));    // changes to wake sleepers
    i32 sleeping, stop;
    i64 (*call)(i64 number, ...);  // libc's syscall
    i64 futex, yield;              // numbers of the two calls used
    i64 spins;                     // how often a worker looks before it sleeps
    // The region.
    const Work *work;
    i64 kind, tiles;
};

enum { WAIT_PRIVATE = 128, WAKE_PRIVATE = 129, PATIENCE = 2000 };

static void tile(const Work *work, i64 kind, i64 index);

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __asm__ volatile("pause");
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Take one tile and compute it; 0 if none is left.
static int take(Pool *p) {
    u64 seen = __atomic_load_n(&p->ticket, __ATOMIC_ACQUIRE);
    do {
        if (!(seen & 0xffffffff)) return 0;
    } while (!__atomic_compare_exchange_n(&p->ticket, &seen, seen - 1, 0, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    tile(p->work, p->kind, p->tiles - (i64)(seen & 0xffffffff));
    __atomic_fetch_add(&p->done, 1, __ATOMIC_RELEASE);
    return 1;
}

// A worker's life: until `stop` is set.
static void work_until_stopped(Pool *p) {
    i64 looks = 0;
    while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
        if (take(p)) {
            looks = 0;
        } else if (++looks < p->spins) {
            pause_briefly();
        } else {
            i32 bell = __atomic_load_n(&p->bell, __ATOMIC_ACQUIRE);
            __atomic_store_n(&p->sleeping, 1, __ATOMIC_SEQ_CST);
            // Look again: whoever rings, first publishes and then looks for sleepers.
            if (!(__atomic_load_n(&p->ticket, __ATOMIC_SEQ_CST) & 0xffffffff) &&
                !__atomic_load_n(&p->stop, __ATOMIC_SEQ_CST))
                p->call(p->futex, &p->bell, (i64)WAIT_PRIVATE, (i64)bell, (void *)0);
            looks = 0;
        }
    }
}

// Compute all tiles of a region and return when the last is finished.
static void run_tiles(const Work *work, i64 kind, i64 tiles) {
    Pool *p = work->pool;
    if (!p || tiles < 2) {
        for (i64 index = 0; index < tiles; index++) tile(work, kind, index);
        return;
    }
    p->work = work;
    p->kind = kind;
    p->tiles = tiles;
    __atomic_store_n(&p->done, 0, __ATOMIC_RELAXED);
    u64 number = (p->ticket >> 32) + 1;
    __atomic_store_n(&p->ticket, number << 32 | (u64)tiles, __ATOMIC_SEQ_CST);
    if (__atomic_exchange_n(&p->sleeping, 0, __ATOMIC_SEQ_CST)) {
        __atomic_fetch_add(&p->bell, 1, __ATOMIC_SEQ_CST);
        p->call(p->futex, &p->bell, (i64)WAKE_PRIVATE, 0x7fffffffLL);
    }
    while (take(p)) {}
    for (i64 looks = 0; __atomic_load_n(&p->done, __ATOMIC_ACQUIRE) < (u64)tiles;) {
        // A worker was interrupted in the middle of a tile: leave it the processor.
        if (++looks < PATIENCE) pause_briefly();
        else p->call(p->yield);
    }
}
