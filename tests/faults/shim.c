/* Makes one call to the system fail that touches files below a directory: the call of a number, or it and all later ones.
   Loaded by LD_PRELOAD; `fault_arm` says what is to fail. Written for glibc on 64-bit Linux. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define HANDLES "/proc/self/fd/"
enum { READS = 1, WRITES = 2 };
static char root[4096];
static int kinds, error_number, lasting;
static long at, calls;
static unsigned char below[65536]; /* open files: 1 where they lie below the root */

void fault_arm(const char* directory, int which, int number, long when, int last) {
  strncpy(root, directory, sizeof root - 1);
  kinds = which, error_number = number, at = when, lasting = last, calls = 0;
}

long fault_calls(void) { return calls; }

static int inside(const char* path) {
  char full[8192];
  if (!root[0] || !path) return 0;
  if (path[0] != '/') {
    if (!getcwd(full, 4096)) return 0;
    strcat(full, "/");
    strncat(full, path, 4000);
    path = full;
  }
  const char* rest = strncmp(path, HANDLES, strlen(HANDLES)) ? 0 : strchr(path + strlen(HANDLES), '/');
  if (rest) { /* by way of an open directory */
    char link[64] = "";
    if (rest - path >= (long)sizeof link) return 0;
    memcpy(link, path, rest - path);
    long size = syscall(SYS_readlinkat, AT_FDCWD, link, full, 4000);
    if (size < 0) return 0;
    full[size] = 0;
    strncat(full, rest, 4000);
    path = full;
  }
  size_t n = strlen(root);
  return !strncmp(path, root, n) && (path[n] == '/' || !path[n]);
}

static int known(int handle) { return handle >= 0 && handle < 65536 && below[handle]; }

static int fails(int kind, int touched) { /* counts the call; sets errno where it is to fail */
  if (!touched || !(kinds & kind)) return 0;
  calls++;
  if (!at || calls < at || (!lasting && calls > at)) return 0;
  errno = error_number;
  return 1;
}

#define REAL(name, type) static type real; if (!real) real = (type)dlsym(RTLD_NEXT, #name)
#define OPEN(name, before, head, pass)                                              \
  int name head {                                                                   \
    typedef int (*type) before;                                                     \
    REAL(name, type);                                                               \
    mode_t mode = 0;                                                                \
    if (flags & (O_CREAT | O_TMPFILE)) {                                            \
      va_list list;                                                                 \
      va_start(list, flags);                                                        \
      mode = va_arg(list, mode_t);                                                  \
      va_end(list);                                                                 \
    }                                                                               \
    int in = inside(path);                                                          \
    if (fails((flags & O_ACCMODE) == O_RDONLY ? READS : WRITES, in)) return -1;     \
    int handle = real pass;                                                         \
    if (handle >= 0 && handle < 65536) below[handle] = in;                          \
    return handle;                                                                  \
  }
OPEN(open, (const char*, int, ...), (const char* path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char*, int, ...), (const char* path, int flags, ...), (path, flags, mode))
OPEN(openat, (int, const char*, int, ...), (int from, const char* path, int flags, ...), (from, path, flags, mode))
OPEN(openat64, (int, const char*, int, ...), (int from, const char* path, int flags, ...), (from, path, flags, mode))

#define CALL(kind, touched, type, name, head, pass, failed) \
  type name head {                                          \
    typedef type (*kind_of) head;                           \
    REAL(name, kind_of);                                    \
    if (fails(kind, touched)) return failed;                \
    return real pass;                                       \
  }
CALL(READS, known(h), ssize_t, read, (int h, void* b, size_t n), (h, b, n), -1)
CALL(READS, known(h), ssize_t, pread, (int h, void* b, size_t n, off_t o), (h, b, n, o), -1)
CALL(READS, known(h), ssize_t, pread64, (int h, void* b, size_t n, off64_t o), (h, b, n, o), -1)
CALL(READS, known(h), ssize_t, preadv, (int h, const struct iovec* v, int n, off_t o), (h, v, n, o), -1)
CALL(READS, known(h), ssize_t, preadv64, (int h, const struct iovec* v, int n, off64_t o), (h, v, n, o), -1)
CALL(READS, inside(p), DIR*, opendir, (const char* p), (p), 0)
CALL(READS, inside(p), int, stat, (const char* p, struct stat* s), (p, s), -1)
CALL(READS, inside(p), int, stat64, (const char* p, struct stat64* s), (p, s), -1)
CALL(READS, inside(p), int, lstat, (const char* p, struct stat* s), (p, s), -1)
CALL(READS, inside(p), int, lstat64, (const char* p, struct stat64* s), (p, s), -1)
CALL(WRITES, known(h), ssize_t, write, (int h, const void* b, size_t n), (h, b, n), -1)
CALL(WRITES, known(h), int, fsync, (int h), (h), -1)
CALL(WRITES, known(h), int, ftruncate, (int h, off_t n), (h, n), -1)
CALL(WRITES, known(h), int, ftruncate64, (int h, off64_t n), (h, n), -1)
CALL(WRITES, inside(p), int, mkdir, (const char* p, mode_t m), (p, m), -1)
CALL(WRITES, inside(a), int, rename, (const char* a, const char* b), (a, b), -1)
CALL(WRITES, inside(a), int, link, (const char* a, const char* b), (a, b), -1)
CALL(WRITES, inside(a), int, linkat, (int i, const char* a, int j, const char* b, int f), (i, a, j, b, f), -1)
CALL(WRITES, inside(p), int, unlink, (const char* p), (p), -1)
CALL(WRITES, inside(p), int, rmdir, (const char* p), (p), -1)
