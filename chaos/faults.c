/* Loaded into a server or a database with LD_PRELOAD: makes its disk full, its fsync fail, or its clock go wrong.
   What is wrong stands in the file that CHAOS_SWITCHES names. It is mapped, so that a change counts at once, and for
   every process that was forked meanwhile. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct switches {
    int32_t fsync_fails;
    int32_t disk_is_full;
    int64_t clock_is_ahead_by_seconds;
};

static volatile const struct switches none;
static volatile const struct switches *switches = &none;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CHAOS_SWITCHES");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof(struct switches), PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) switches = mapped;
    close(file);
}

/* The function that would be called without us. */
#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int fails(void) {
    if (switches->fsync_fails) errno = EIO;
    return switches->fsync_fails;
}

int fsync(int file) { REAL(fsync); return fails() ? -1 : real(file); }
int fdatasync(int file) { REAL(fdatasync); return fails() ? -1 : real(file); }

/* As on a real disk, what is there can be written over; only what would make a file longer fails. */
static int overflows(int file, off_t end) {
    struct stat status;
    if (!switches->disk_is_full || fstat(file, &status) || !S_ISREG(status.st_mode) || end <= status.st_size) return 0;
    errno = ENOSPC;
    return 1;
}

static off_t total(const struct iovec *parts, int count) {
    off_t sum = 0;
    for (int i = 0; i < count; i++) sum += parts[i].iov_len;
    return sum;
}

static off_t position(int file) {
    off_t at = switches->disk_is_full ? lseek(file, 0, fcntl(file, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR) : -1;
    return at < 0 ? 0 : at;
}

ssize_t write(int file, const void *data, size_t size) {
    REAL(write);
    return overflows(file, position(file) + size) ? -1 : real(file, data, size);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(writev);
    return overflows(file, position(file) + total(parts, count)) ? -1 : real(file, parts, count);
}
ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    return overflows(file, at + size) ? -1 : real(file, data, size, at);
}
ssize_t pwrite64(int file, const void *data, size_t size, off_t at) {
    REAL(pwrite64);
    return overflows(file, at + size) ? -1 : real(file, data, size, at);
}
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) {
    REAL(pwritev);
    return overflows(file, at + total(parts, count)) ? -1 : real(file, parts, count, at);
}
ssize_t pwritev64(int file, const struct iovec *parts, int count, off_t at) {
    REAL(pwritev64);
    return overflows(file, at + total(parts, count)) ? -1 : real(file, parts, count, at);
}
int ftruncate(int file, off_t size) { REAL(ftruncate); return overflows(file, size) ? -1 : real(file, size); }
int ftruncate64(int file, off_t size) { REAL(ftruncate64); return overflows(file, size) ? -1 : real(file, size); }
int posix_fallocate(int file, off_t at, off_t size) {
    REAL(posix_fallocate);
    return overflows(file, at + size) ? ENOSPC : real(file, at, size);
}
int posix_fallocate64(int file, off_t at, off_t size) {
    REAL(posix_fallocate64);
    return overflows(file, at + size) ? ENOSPC : real(file, at, size);
}
int fallocate(int file, int mode, off_t at, off_t size) {
    REAL(fallocate);
    return overflows(file, at + size) ? -1 : real(file, mode, at, size);
}
int fallocate64(int file, int mode, off_t at, off_t size) {
    REAL(fallocate64);
    return overflows(file, at + size) ? -1 : real(file, mode, at, size);
}

/* A clock that is set wrong is wrong for what asks for the time of day; what measures durations goes on. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += switches->clock_is_ahead_by_seconds;
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    REAL(gettimeofday);
    int failed = real(now, zone);
    if (!failed) now->tv_sec += switches->clock_is_ahead_by_seconds;
    return failed;
}
time_t time(time_t *now) {
    REAL(time);
    time_t seconds = real(NULL) + switches->clock_is_ahead_by_seconds;
    if (now) *now = seconds;
    return seconds;
}
