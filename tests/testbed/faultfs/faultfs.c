/* A shim that answers system calls on chosen files with chosen errors: see faults.py, which writes its rules.
 *
 * LD_PRELOAD has it come before the C library in every process of the server. The rules lie in a file that
 * FAULTFS_RULES names, mapped by all of them, so that a test switches faults on and off while they run.
 */
#define _GNU_SOURCE
#define _LARGEFILE64_SOURCE
#undef _FORTIFY_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The same order as Operation in faults.py. */
enum operation { OPEN, READ, WRITE, RENAME, UNLINK, FSYNC, STATVFS, STAT, MKDIR, LIST, TRUNCATE, ALLOCATE, LOCK };

struct rule {
    uint32_t active;
    int32_t number; /* the errno to answer */
    int64_t left;   /* how often still; less than 0: without end */
    uint64_t hits;
    uint64_t operations; /* one bit each */
    char pattern[288];   /* of the file's absolute path, as fnmatch(3) reads it; `*` goes across slashes */
};

struct rules {
    uint32_t count; /* of the rules that may be active */
    char padding[60];
    struct rule rule[256];
};

static struct rules *rules;
static const struct rules none;

static const struct rules *all(void) {
    struct rules *found = __atomic_load_n(&rules, __ATOMIC_ACQUIRE);
    if (found)
        return found;
    const char *name = getenv("FAULTFS_RULES");
    int file = name ? syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *rules, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0)
        syscall(SYS_close, file);
    found = mapped == MAP_FAILED ? (struct rules *)&none : mapped;
    __atomic_store_n(&rules, found, __ATOMIC_RELEASE);
    return found;
}

/* Replace a leading /proc/self/fd/<number> by what it leads to. */
static void follow(char *path) {
    static const char prefix[] = "/proc/self/fd/";
    char target[PATH_MAX], link[64], *rest;
    if (strncmp(path, prefix, sizeof prefix - 1))
        return;
    long number = strtol(path + sizeof prefix - 1, &rest, 10);
    snprintf(link, sizeof link, "%s%ld", prefix, number);
    ssize_t size = readlink(link, target, sizeof target - 1);
    if (size < 0)
        return;
    target[size] = 0;
    if (size + strlen(rest) < PATH_MAX) {
        memmove(path + size, rest, strlen(rest) + 1);
        memcpy(path, target, size);
    }
}

static void resolve(int folder, const char *path, char *whole) {
    whole[0] = 0;
    if (!path)
        return;
    if (path[0] == '/')
        snprintf(whole, PATH_MAX, "%s", path);
    else if (folder == AT_FDCWD) {
        char here[PATH_MAX];
        if (syscall(SYS_getcwd, here, sizeof here) > 0)
            snprintf(whole, PATH_MAX, "%.*s/%s", PATH_MAX / 2, here, path);
    } else
        snprintf(whole, PATH_MAX, "/proc/self/fd/%d%s%s", folder, *path ? "/" : "", path);
    follow(whole);
}

/* Whether a rule answers this: then errno is set. */
static int refused(enum operation operation, int folder, const char *path) {
    const struct rules *known = all();
    uint32_t count = __atomic_load_n(&known->count, __ATOMIC_ACQUIRE);
    if (!count)
        return 0;
    int before = errno;
    char whole[PATH_MAX];
    resolve(folder, path, whole);
    for (uint32_t i = 0; i < count && i < sizeof known->rule / sizeof *known->rule; i++) {
        struct rule *rule = (struct rule *)&known->rule[i];
        if (!__atomic_load_n(&rule->active, __ATOMIC_ACQUIRE) || !(rule->operations >> operation & 1) ||
            fnmatch(rule->pattern, whole, 0))
            continue;
        int64_t left = __atomic_load_n(&rule->left, __ATOMIC_RELAXED);
        do {
            if (left == 0)
                break;
        } while (left > 0 && !__atomic_compare_exchange_n(&rule->left, &left, left - 1, 0, __ATOMIC_RELAXED,
                                                          __ATOMIC_RELAXED));
        if (left == 0)
            continue;
        __atomic_add_fetch(&rule->hits, 1, __ATOMIC_RELAXED);
        errno = rule->number;
        return 1;
    }
    errno = before;
    return 0;
}

static int refused_file(enum operation operation, int file) { return refused(operation, file, ""); }

#define REAL(name, ...)                                                                                                \
    static __typeof__(name) *real;                                                                                     \
    if (!real)                                                                                                         \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);                                                            \
    return real(__VA_ARGS__)

#define ON_PATH(operation, result, name, path, parameters, ...)                                                        \
    result name parameters {                                                                                           \
        if (refused(operation, AT_FDCWD, path))                                                                        \
            return (result)-1;                                                                                         \
        REAL(name, __VA_ARGS__);                                                                                       \
    }

#define ON_FILE(operation, result, name, file, parameters, ...)                                                        \
    result name parameters {                                                                                           \
        if (refused_file(operation, file))                                                                             \
            return (result)-1;                                                                                         \
        REAL(name, __VA_ARGS__);                                                                                       \
    }

#define ON_PATH_AT(operation, result, name, folder, path, parameters, ...)                                             \
    result name parameters {                                                                                           \
        if (refused(operation, folder, path))                                                                          \
            return (result)-1;                                                                                         \
        REAL(name, __VA_ARGS__);                                                                                       \
    }

#define OPENING(name)                                                                                                  \
    int name(const char *path, int flags, ...) {                                                                       \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                      \
        va_end(rest);                                                                                                  \
        if (refused(OPEN, AT_FDCWD, path))                                                                             \
            return -1;                                                                                                 \
        REAL(name, path, flags, mode);                                                                                 \
    }
OPENING(open)
OPENING(open64)

#define OPENING_AT(name)                                                                                               \
    int name(int folder, const char *path, int flags, ...) {                                                           \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                      \
        va_end(rest);                                                                                                  \
        if (refused(OPEN, folder, path))                                                                               \
            return -1;                                                                                                 \
        REAL(name, folder, path, flags, mode);                                                                         \
    }
OPENING_AT(openat)
OPENING_AT(openat64)

ON_FILE(READ, ssize_t, read, file, (int file, void *to, size_t size), file, to, size)
ON_FILE(READ, ssize_t, pread, file, (int file, void *to, size_t size, off_t at), file, to, size, at)
ON_FILE(READ, ssize_t, pread64, file, (int file, void *to, size_t size, off64_t at), file, to, size, at)
ON_FILE(READ, ssize_t, readv, file, (int file, const struct iovec *to, int count), file, to, count)
ON_FILE(WRITE, ssize_t, write, file, (int file, const void *from, size_t size), file, from, size)
ON_FILE(WRITE, ssize_t, pwrite, file, (int file, const void *from, size_t size, off_t at), file, from, size, at)
ON_FILE(WRITE, ssize_t, pwrite64, file, (int file, const void *from, size_t size, off64_t at), file, from, size, at)
ON_FILE(WRITE, ssize_t, writev, file, (int file, const struct iovec *from, int count), file, from, count)

/* What moves bytes between two files within the kernel reads one and writes the other. */
#define MOVING(name, from, to, parameters, ...)                                                                        \
    ssize_t name parameters {                                                                                          \
        if (refused_file(READ, from) || refused_file(WRITE, to))                                                       \
            return -1;                                                                                                 \
        REAL(name, __VA_ARGS__);                                                                                       \
    }
MOVING(splice, from, to, (int from, off64_t *from_at, int to, off64_t *to_at, size_t size, unsigned flags), from,
       from_at, to, to_at, size, flags)
MOVING(copy_file_range, from, to, (int from, off64_t *from_at, int to, off64_t *to_at, size_t size, unsigned flags),
       from, from_at, to, to_at, size, flags)
MOVING(sendfile, from, to, (int to, int from, off_t *at, size_t size), to, from, at, size)
MOVING(sendfile64, from, to, (int to, int from, off64_t *at, size_t size), to, from, at, size)

int rename(const char *old, const char *new) {
    if (refused(RENAME, AT_FDCWD, old) || refused(RENAME, AT_FDCWD, new))
        return -1;
    REAL(rename, old, new);
}

int renameat(int old_folder, const char *old, int new_folder, const char *new) {
    if (refused(RENAME, old_folder, old) || refused(RENAME, new_folder, new))
        return -1;
    REAL(renameat, old_folder, old, new_folder, new);
}

ON_PATH(UNLINK, int, unlink, path, (const char *path), path)
ON_PATH(UNLINK, int, rmdir, path, (const char *path), path)
ON_PATH_AT(UNLINK, int, unlinkat, folder, path, (int folder, const char *path, int flags), folder, path, flags)

ON_FILE(FSYNC, int, fsync, file, (int file), file)
ON_FILE(FSYNC, int, fdatasync, file, (int file), file)

ON_PATH(STATVFS, int, statvfs, path, (const char *path, struct statvfs *to), path, to)
ON_PATH(STATVFS, int, statvfs64, path, (const char *path, struct statvfs64 *to), path, to)
ON_FILE(STATVFS, int, fstatvfs, file, (int file, struct statvfs *to), file, to)
ON_FILE(STATVFS, int, fstatvfs64, file, (int file, struct statvfs64 *to), file, to)

ON_PATH(STAT, int, stat, path, (const char *path, struct stat *to), path, to)
ON_PATH(STAT, int, stat64, path, (const char *path, struct stat64 *to), path, to)
ON_PATH(STAT, int, lstat, path, (const char *path, struct stat *to), path, to)
ON_PATH(STAT, int, lstat64, path, (const char *path, struct stat64 *to), path, to)
ON_FILE(STAT, int, fstat, file, (int file, struct stat *to), file, to)
ON_FILE(STAT, int, fstat64, file, (int file, struct stat64 *to), file, to)
ON_PATH_AT(STAT, int, fstatat, folder, path, (int folder, const char *path, struct stat *to, int flags), folder, path,
           to, flags)
ON_PATH_AT(STAT, int, fstatat64, folder, path, (int folder, const char *path, struct stat64 *to, int flags), folder,
           path, to, flags)
ON_PATH(STAT, int, access, path, (const char *path, int mode), path, mode)

ON_PATH(MKDIR, int, mkdir, path, (const char *path, mode_t mode), path, mode)
ON_PATH_AT(MKDIR, int, mkdirat, folder, path, (int folder, const char *path, mode_t mode), folder, path, mode)

DIR *opendir(const char *path) {
    if (refused(LIST, AT_FDCWD, path))
        return NULL;
    REAL(opendir, path);
}

DIR *fdopendir(int file) {
    if (refused_file(LIST, file))
        return NULL;
    REAL(fdopendir, file);
}

struct dirent *readdir(DIR *folder) {
    if (refused_file(LIST, dirfd(folder)))
        return NULL;
    REAL(readdir, folder);
}

struct dirent64 *readdir64(DIR *folder) {
    if (refused_file(LIST, dirfd(folder)))
        return NULL;
    REAL(readdir64, folder);
}

ON_PATH(TRUNCATE, int, truncate, path, (const char *path, off_t size), path, size)
ON_PATH(TRUNCATE, int, truncate64, path, (const char *path, off64_t size), path, size)
ON_FILE(TRUNCATE, int, ftruncate, file, (int file, off_t size), file, size)
ON_FILE(TRUNCATE, int, ftruncate64, file, (int file, off64_t size), file, size)

int posix_fallocate(int file, off_t at, off_t size) {
    if (refused_file(ALLOCATE, file))
        return errno;
    REAL(posix_fallocate, file, at, size);
}

int posix_fallocate64(int file, off64_t at, off64_t size) {
    if (refused_file(ALLOCATE, file))
        return errno;
    REAL(posix_fallocate64, file, at, size);
}

ON_FILE(LOCK, int, flock, file, (int file, int how), file, how)
