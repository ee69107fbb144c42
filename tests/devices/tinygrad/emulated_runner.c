// Calls the kernels' entry for a Python process that cannot load them: emulated.py starts it under
// an emulator of another processor. It knows memory shared at the same address, messages and
// threads; it does not know what a Work is.
//
// Usage: runner FILE ADDRESS BYTES. It maps FILE at ADDRESS and writes the address of its libc's
// syscall(). Each message from stdin is two 64-bit words: CALL, and a Work, which gets a thread of
// its own and is written back when it is done; or WAKE, and a futex.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALL, WAKE, WAKE_PRIVATE = 129 };

extern void edge_entry(void *work);

static void say(uint64_t word) {
    if (write(1, &word, sizeof word) != sizeof word) _exit(1);
}

static void *run(void *work) {
    edge_entry(work);
    say((uintptr_t)work);
    return NULL;
}

int main(int count, char **argument) {
    if (count != 4) return 2;
    void *at = (void *)(uintptr_t)strtoull(argument[2], NULL, 0);
    size_t bytes = strtoull(argument[3], NULL, 0);
    int file = open(argument[1], O_RDWR);
    if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) != at) return 3;
    say((uintptr_t)syscall);
    for (uint64_t message[2]; read(0, message, sizeof message) == sizeof message;) {
        void *address = (void *)(uintptr_t)message[1];
        pthread_t thread;
        if (message[0] == WAKE) syscall(SYS_futex, address, WAKE_PRIVATE, INT_MAX);
        else if (pthread_create(&thread, NULL, run, address)) return 4;
        else pthread_detach(thread);
    }
    return 0;
}
