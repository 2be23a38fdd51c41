/*
 * A disk that forgets what was not synced, and that fails when it is told to. Preloaded into a process, it keeps beside each file
 * below POWERLOSS_ROOT a second one, in the directory POWERLOSS_DISK, with the bytes that a sync has brought to the disk itself. A
 * test that has killed the process puts those in place of the files. What is renamed, linked or unlinked takes its second file
 * along, at once.
 *
 * While there is a file POWERLOSS_DISK.fail, whatever writes or syncs below the root fails with the errno that stands in it.
 *
 *     cc -shared -fPIC -O2 -Wall -o powerloss.so powerloss.c -ldl
 *
 * Written ranges are remembered, and copied by the next sync of their file. The first one by a process copies all of it: what a
 * process before it wrote, and was killed before it synced, is synced too. Writes through mmap are not seen: of the files below the
 * root only SQLite's -shm is written so, which is not kept over a loss of power. For 64-bit Linux.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SMALL (256 * 1024) /* A file that is no larger is copied whole. */
#define FILES 4096
#define LARGE 64 /* So many larger ones are known to have been copied whole. */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *disk;
static size_t root_length;
static char fail_path[PATH_MAX];

/* What of a file was written since its last sync. */
static struct range { dev_t dev; ino_t ino; off_t from, to; } ranges[FILES];
static int used;

/* Those that this process has synced. One that has been forgotten is copied whole again. */
static struct { dev_t dev; ino_t ino; } known[LARGE];
static int next_known;

#define REAL(type, name, ...) \
    static type (*real_##name)(__VA_ARGS__); \
    if (!real_##name) \
        real_##name = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static void stop(const char *what, const char *path)
{
    char line[PATH_MAX + 100];
    int length = snprintf(line, sizeof line, "powerloss: %s: %s: %s\n", what, path, strerror(errno));
    REAL(ssize_t, write, int, const void *, size_t);
    if (real_write(2, line, length) < 0)
        _exit(71);
    _exit(70);
}

__attribute__((constructor)) static void begin(void)
{
    root = getenv("POWERLOSS_ROOT");
    disk = getenv("POWERLOSS_DISK");
    if (!root || !disk)
        stop("set it", "POWERLOSS_ROOT and POWERLOSS_DISK");
    root_length = strlen(root);
    snprintf(fail_path, sizeof fail_path, "%s.fail", disk);
}

static int concerns(const char *path)
{
    return root && path && !strncmp(path, root, root_length) && path[root_length] == '/';
}

/* The path of a descriptor, if it is a file below the root. */
static int path_of(int fd, char path[PATH_MAX])
{
    char link[64];
    struct stat about;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = root ? readlink(link, path, PATH_MAX - 1) : 0;
    if (length <= 0)
        return 0;
    path[length] = 0;
    return concerns(path) && !fstat(fd, &about) && S_ISREG(about.st_mode);
}

/* Its second file: in one flat directory, '/' written as '@'. */
static void second(const char *path, char other[PATH_MAX])
{
    size_t length = strlen(disk);
    if (length + strlen(path + root_length) + 1 > PATH_MAX)
        stop("too long", path);
    memcpy(other, disk, length);
    other[length] = '/';
    strcpy(other + length + 1, path + root_length + 1);
    for (char *c = other + length + 1; *c; c++)
        if (*c == '/')
            *c = '@';
}

/* 0, or the errno that the disk is to fail with. */
static int failing(void)
{
    REAL(int, open, const char *, int, ...);
    int fd = real_open(fail_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    char text[16] = "";
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    return length > 0 ? atoi(text) : 0;
}

static int fails_at(int fd)
{
    char path[PATH_MAX];
    return path_of(fd, path) ? failing() : 0;
}

static int fails_at_path(const char *path)
{
    return concerns(path) ? failing() : 0;
}

static int is_known(struct stat about)
{
    for (int i = 0; i < LARGE; i++)
        if (known[i].ino == about.st_ino && known[i].dev == about.st_dev)
            return 1;
    known[next_known].dev = about.st_dev;
    known[next_known].ino = about.st_ino;
    next_known = (next_known + 1) % LARGE;
    return 0;
}

/* Brings the range, and the length, to the second file. */
static void bring(const char *path, struct stat file, off_t from, off_t to)
{
    off_t length = file.st_size;
    REAL(int, open, const char *, int, ...);
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    REAL(int, ftruncate, int, off_t);
    char other[PATH_MAX], buffer[65536];
    struct stat about;
    second(path, other);
    int in = real_open(path, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return; /* It was unlinked. */
    int out = real_open(other, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (out < 0 || fstat(out, &about))
        stop("open", other);
    if (length <= SMALL || about.st_size == 0 || !is_known(file))
        from = 0, to = length;
    if (to > length)
        to = length;
    while (from < to) {
        ssize_t got = pread(in, buffer, to - from < (off_t)sizeof buffer ? (size_t)(to - from) : sizeof buffer, from);
        if (got <= 0)
            break;
        if (real_pwrite(out, buffer, got, from) != got)
            stop("write", other);
        from += got;
    }
    if (real_ftruncate(out, length))
        stop("truncate", other);
    close(in);
    close(out);
}

static void wrote(int fd, const char *path, off_t at, ssize_t count)
{
    struct stat about;
    if (count <= 0 || fstat(fd, &about))
        return;
    pthread_mutex_lock(&gate);
    if (fcntl(fd, F_GETFL) & O_DSYNC) {
        bring(path, about, at, at + count);
        pthread_mutex_unlock(&gate);
        return;
    }
    struct range *range = NULL, *unused = NULL;
    for (int i = 0; i < used && !range; i++) {
        if (ranges[i].ino == about.st_ino && ranges[i].dev == about.st_dev)
            range = &ranges[i];
        else if (!ranges[i].ino)
            unused = &ranges[i];
    }
    if (!range) {
        if (!unused && used == FILES)
            stop("too many files", path);
        range = unused ? unused : &ranges[used++];
        *range = (struct range){ about.st_dev, about.st_ino, at, at };
    }
    if (at < range->from)
        range->from = at;
    if (at + count > range->to)
        range->to = at + count;
    pthread_mutex_unlock(&gate);
}

/* What the real sync covers is what was written before it began. */
static int sync_by(int fd, int (*real)(int))
{
    char path[PATH_MAX];
    struct stat about;
    if (!path_of(fd, path))
        return real(fd);
    int error = failing();
    if (error) {
        errno = error;
        return -1;
    }
    pthread_mutex_lock(&gate);
    /* Not before: others write on, and what their ranges say must lie within the length that is brought. */
    if (fstat(fd, &about))
        stop("fstat", path);
    off_t from = 0, to = 0;
    for (int i = 0; i < used; i++) {
        if (ranges[i].ino == about.st_ino && ranges[i].dev == about.st_dev) {
            from = ranges[i].from;
            to = ranges[i].to;
            ranges[i].ino = 0;
        }
    }
    int result = real(fd);
    if (!result)
        bring(path, about, from, to);
    pthread_mutex_unlock(&gate);
    return result;
}

int fsync(int fd)
{
    REAL(int, fsync, int);
    return sync_by(fd, real_fsync);
}

int fdatasync(int fd)
{
    REAL(int, fdatasync, int);
    return sync_by(fd, real_fdatasync);
}

#define FAIL_IF(condition) \
    do { \
        int error_ = (condition); \
        if (error_) { \
            errno = error_; \
            return -1; \
        } \
    } while (0)

/* At the file's own offset, which is behind what was written. */
#define WRITE_HERE(name, type) \
    ssize_t name(int fd, type data, COUNT(name) count) \
    { \
        REAL(ssize_t, name, int, type, COUNT(name)); \
        char path[PATH_MAX]; \
        if (fd <= 2 || !path_of(fd, path)) \
            return real_##name(fd, data, count); \
        FAIL_IF(failing()); \
        ssize_t written = real_##name(fd, data, count); \
        int error = errno; \
        wrote(fd, path, lseek(fd, 0, SEEK_CUR) - (written > 0 ? written : 0), written); \
        errno = error; \
        return written; \
    }

#define WRITE_AT(name, type) \
    ssize_t name(int fd, type data, COUNT(name) count, off_t at) \
    { \
        REAL(ssize_t, name, int, type, COUNT(name), off_t); \
        char path[PATH_MAX]; \
        if (!path_of(fd, path)) \
            return real_##name(fd, data, count, at); \
        FAIL_IF(failing()); \
        ssize_t written = real_##name(fd, data, count, at); \
        int error = errno; \
        wrote(fd, path, at, written); \
        errno = error; \
        return written; \
    }

#define COUNT(name) COUNT_##name
#define COUNT_write size_t
#define COUNT_pwrite size_t
#define COUNT_pwrite64 size_t
#define COUNT_writev int
#define COUNT_pwritev int
#define COUNT_pwritev64 int

WRITE_HERE(write, const void *)
WRITE_HERE(writev, const struct iovec *)
WRITE_AT(pwrite, const void *)
WRITE_AT(pwrite64, const void *)
WRITE_AT(pwritev, const struct iovec *)
WRITE_AT(pwritev64, const struct iovec *)

#define TRUNCATE(name) \
    int name(int fd, off_t length) \
    { \
        REAL(int, name, int, off_t); \
        FAIL_IF(fails_at(fd)); \
        return real_##name(fd, length); \
    }

TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

/* Returns the errno and does not set it. */
#define ALLOCATE(name) \
    int name(int fd, off_t from, off_t length) \
    { \
        REAL(int, name, int, off_t, off_t); \
        int error = fails_at(fd); \
        return error ? error : real_##name(fd, from, length); \
    }

ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)

#define ALLOCATE_BY(name) \
    int name(int fd, int mode, off_t from, off_t length) \
    { \
        REAL(int, name, int, int, off_t, off_t); \
        FAIL_IF(fails_at(fd)); \
        return real_##name(fd, mode, from, length); \
    }

ALLOCATE_BY(fallocate)
ALLOCATE_BY(fallocate64)

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        REAL(int, name, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        if ((flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT) \
            FAIL_IF(fails_at_path(path)); \
        return real_##name(path, flags, mode); \
    }

OPEN(open)
OPEN(open64)

/* The second file goes before the file: a kill between the two leaves a name without a file, which is nobody's loss. */
static void move_second(const char *from, const char *to, int keep)
{
    REAL(int, open, const char *, int, ...);
    REAL(int, rename, const char *, const char *);
    REAL(int, link, const char *, const char *);
    REAL(int, unlink, const char *);
    char from_other[PATH_MAX], to_other[PATH_MAX];
    second(from, from_other);
    second(to, to_other);
    if (keep)
        real_unlink(to_other);
    if ((keep ? real_link(from_other, to_other) : real_rename(from_other, to_other)) == 0)
        return;
    /* It was never synced: its new name stands for an empty file. */
    int fd = real_open(to_other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        stop("open", to_other);
    close(fd);
}

int rename(const char *from, const char *to)
{
    REAL(int, rename, const char *, const char *);
    if (!concerns(from) || !concerns(to))
        return real_rename(from, to);
    FAIL_IF(failing());
    if (!access(from, F_OK))
        move_second(from, to, 0);
    return real_rename(from, to);
}

int link(const char *from, const char *to)
{
    REAL(int, link, const char *, const char *);
    if (!concerns(from) || !concerns(to))
        return real_link(from, to);
    FAIL_IF(failing());
    if (!access(from, F_OK) && access(to, F_OK))
        move_second(from, to, 1);
    return real_link(from, to);
}

int unlink(const char *path)
{
    REAL(int, unlink, const char *);
    char other[PATH_MAX];
    if (!concerns(path))
        return real_unlink(path);
    FAIL_IF(failing());
    int result = real_unlink(path);
    if (!result) {
        second(path, other);
        real_unlink(other);
    }
    return result;
}
