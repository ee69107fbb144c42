// Parallel regions: a caller and its workers take numbered tiles until none is left.
// It knows threads, tiles and waiting; it does not know what a tile computes.
//
// Each thread has a span of neighbouring tiles and takes them from the front, so that it reads its
// weights as one stream; when they are done it takes over half of what another has left. Nobody
// waits for a thread that the system does not run, but for the tile that it is in. A span holds the
// region's number beside its ends in one word: a thread that comes late can take nothing from a
// region that is over or not wholly published, and what describes a region changes only after its
// last tile.

typedef struct {
    u64 left __attribute__((aligned(64)));  // region number << 32 | first tile << 16 | end
    const u8 *next;  // where this thread's span of the next product will lie, or null
} Span;

struct Pool {
    u64 region __attribute__((aligned(64)));  // number of the last region begun
    u64 done __attribute__((aligned(64)));    // tiles finished
    i32 bell __attribute__((aligned(64)));    // changes to wake sleepers
    i32 sleeping, stop;
    i64 (*call)(i64 number, ...);  // libc's syscall
    i64 futex, yield;              // numbers of the two calls used
    i64 spins;                     // how often a worker looks before it sleeps
    i64 threads;                   // the caller included
    Span *span;                    // [threads]
    // The region.
    const Work *work;
    i64 kind;
};

enum { WAIT_PRIVATE = 128, WAKE_PRIVATE = 129, PATIENCE = 2000 };
enum { NEXT_BYTES = 65536 };  // fetched by an idle worker: what memory gives while a norm is taken

static void tile(const Work *work, i64 kind, i64 index, i64 thread);

static const u8 *next_start(const Work *work, i64 kind, i64 span);

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __asm__ volatile("pause");
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Cut tiles off a span: its owner the first one, a thief the later half, which stays one stream.
// Returns the first tile taken and sets `end` to the one after the last; none if they are equal.
static inline u64 take(Span *s, u64 region, int own, u64 *end) {
    u64 seen = __atomic_load_n(&s->left, __ATOMIC_ACQUIRE), from, next;
    do {
        u64 first = seen >> 16 & 0xffff, last = seen & 0xffff;
        from = own ? first : (first + last) / 2;
        *end = own ? first + 1 : last;
        if (first == last || (u32)(seen >> 32) != (u32)region) return *end;
        next = own ? seen + 0x10000 : seen - last + from;
    } while (!__atomic_compare_exchange_n(&s->left, &seen, next, 0, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return from;
}

// Make the later half of another thread's span this thread's own; 0 if there is none.
static int steal(Pool *p, i64 self, u64 region) {
    for (i64 k = 1; k < p->threads; k++) {
        u64 end, first = take(p->span + (self + k) % p->threads, region, 0, &end);
        if (first == end) continue;
        // Nobody changes an empty span but its owner, and the region lasts until its last tile.
        u64 left = region << 32 | first << 16 | end;
        __atomic_store_n(&p->span[self].left, left, __ATOMIC_RELEASE);
        return 1;
    }
    return 0;
}

// Compute tiles of a region until none is left to take.
static void help(Pool *p, i64 self, u64 region) {
    u64 finished = 0;
    do {
        u64 end, index;
        while ((index = take(p->span + self, region, 1, &end)) != end) {
            tile(p->work, p->kind, (i64)index, self);
            finished++;
        }
    } while (steal(p, self, region));
    if (finished) __atomic_fetch_add(&p->done, finished, __ATOMIC_RELEASE);
}

// Between two products the caller normalises alone; a worker meanwhile brings the first weights
// that it will read into its cache. Stale addresses do no harm: a prefetch never faults.
static void fetch_next(const Pool *p, i64 self, u64 region) {
    const u8 *next = __atomic_load_n(&p->span[self].next, __ATOMIC_RELAXED);
    for (i64 at = 0; next && at < NEXT_BYTES; at += 64) {
        __builtin_prefetch(next + at, 0, TWICE);
        if (!(at % 2048) && __atomic_load_n(&p->region, __ATOMIC_RELAXED) != region) return;
    }
}

// A worker's life: until `stop` is set.
static void work_until_stopped(Pool *p, i64 self) {
    i64 looks = 0;
    u64 seen = 0;
    while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
        u64 region = __atomic_load_n(&p->region, __ATOMIC_ACQUIRE);
        if (region != seen) {
            help(p, self, region);
            fetch_next(p, self, region);
            seen = region;
            looks = 0;
        } else if (++looks < p->spins) {
            pause_briefly();
        } else {
            i32 bell = __atomic_load_n(&p->bell, __ATOMIC_ACQUIRE);
            __atomic_store_n(&p->sleeping, 1, __ATOMIC_SEQ_CST);
            // Look again: whoever rings, first publishes and then looks for sleepers.
            if (__atomic_load_n(&p->region, __ATOMIC_SEQ_CST) == seen &&
                !__atomic_load_n(&p->stop, __ATOMIC_SEQ_CST))
                p->call(p->futex, &p->bell, (i64)WAIT_PRIVATE, (i64)bell, (void *)0);
            looks = 0;
        }
    }
}

// Compute all tiles of a region, at most MAX_TILES, and return when the last is finished.
static void run_tiles(const Work *work, i64 kind, i64 tiles) {
    Pool *p = work->pool;
    if (!p || tiles < 2) {
        for (i64 index = 0; index < tiles; index++) tile(work, kind, index, 0);
        return;
    }
    p->work = work;
    p->kind = kind;
    __atomic_store_n(&p->done, 0, __ATOMIC_RELAXED);
    u64 number = p->region + 1;
    for (i64 k = 0; k < p->threads; k++) {
        u64 first = (u64)(tiles * k / p->threads), end = (u64)(tiles * (k + 1) / p->threads);
        __atomic_store_n(&p->span[k].next, next_start(work, kind, k), __ATOMIC_RELAXED);
        __atomic_store_n(&p->span[k].left, number << 32 | first << 16 | end, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&p->region, number, __ATOMIC_SEQ_CST);
    if (__atomic_exchange_n(&p->sleeping, 0, __ATOMIC_SEQ_CST)) {
        __atomic_fetch_add(&p->bell, 1, __ATOMIC_SEQ_CST);
        p->call(p->futex, &p->bell, (i64)WAKE_PRIVATE, 0x7fffffffLL);
    }
    help(p, 0, number);
    for (i64 looks = 0; __atomic_load_n(&p->done, __ATOMIC_ACQUIRE) < (u64)tiles;) {
        // A worker was interrupted in the middle of a tile: leave it the processor.
        if (++looks < PATIENCE) pause_briefly();
        else p->call(p->yield);
    }
}
