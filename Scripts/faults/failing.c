// Stands between a program and the file system, and lets calls fail that name certain files. To be preloaded.
//
//   FAILING_ROOT   the folder that is watched, absolute
//   FAILING_FAULT  "CALL:PATTERN:COUNT:ERROR:TIMES" lets the COUNTth call that fits fail, and those after it until TIMES
//                  have failed (0: all). CALL is open, read, write, sync, range (sync_file_range), truncate, allocate,
//                  rename, link, unlink or mkdir. PATTERN is a pattern as of the shell for the path below the root. ERROR
//                  is a name such as EIO; short: half of the bytes are written, and everything after that fails with
//                  ENOSPC; kill: the process is killed instead of the call being made; hang: the call is made once the
//                  file of FAILING_WHEN is gone
//   FAILING_WHEN   a file outside of the root; if it is named, calls are counted only while it is there
//   FAILING_NOTE   a file outside of the root, to which each failure appends a line
//
// It may be preloaded behind powerless.c, which then sees the failures as the system's.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char root[PATH_MAX], note[PATH_MAX], when[PATH_MAX];
static char wanted_call[16], wanted_path[256], wanted_error[16];
static long wanted_count, wanted_times, seen_count, failed_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const struct {
  const char *name;
  int number;
} errors[] = {{"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EACCES", EACCES}, {"EMFILE", EMFILE},
              {"EROFS", EROFS}, {"EDQUOT", EDQUOT}, {"short", ENOSPC},  {"kill", EIO}};

__attribute__((constructor)) static void begin(void) {
  const char *given_root = getenv("FAILING_ROOT"), *given_note = getenv("FAILING_NOTE");
  const char *fault = getenv("FAILING_FAULT"), *given_when = getenv("FAILING_WHEN");
  if (!given_root || !fault) return;
  snprintf(root, sizeof root, "%s", given_root);
  snprintf(note, sizeof note, "%s", given_note ? given_note : "/dev/null");
  if (given_when) snprintf(when, sizeof when, "%s", given_when);
  if (
    sscanf(
      fault, "%15[^:]:%255[^:]:%ld:%15[^:]:%ld", wanted_call, wanted_path, &wanted_count, wanted_error, &wanted_times)
    != 5) {
    fprintf(stderr, "failing: FAILING_FAULT is not CALL:PATTERN:COUNT:ERROR:TIMES\n");
    _exit(99);
  }
}

#define REAL(name)                                        \
  static __typeof__(name) *real;                          \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

// Whether a call fails; the error is in `errno` then.
static int fails_at(const char *call, const char *path) {
  if (strcmp(call, wanted_call) != 0) return 0;
  char absolute[PATH_MAX * 2], here[PATH_MAX];
  if (path[0] == '/' || !getcwd(here, sizeof here))
    snprintf(absolute, sizeof absolute, "%s", path);
  else
    snprintf(absolute, sizeof absolute, "%s/%s", here, path);
  size_t length = strlen(root);
  if (strncmp(absolute, root, length) != 0) return 0;
  const char *below = absolute + length;
  while (*below == '/') below++;
  if (fnmatch(wanted_path, below, 0) != 0) return 0;
  if (when[0] && access(when, F_OK) != 0) return 0;
  pthread_mutex_lock(&lock);
  int is_fault = ++seen_count >= wanted_count && (wanted_times == 0 || failed_count < wanted_times);
  if (is_fault) {
    failed_count++;
    FILE *notes = fopen(note, "a");
    if (notes) {
      fprintf(notes, "%s %s %s\n", call, below, wanted_error);
      fclose(notes);
    }
  }
  pthread_mutex_unlock(&lock);
  if (!is_fault) return 0;
  if (strcmp(wanted_error, "hang") == 0) {
    while (access(when, F_OK) == 0) usleep(1000);
    return 0;
  }
  if (strcmp(wanted_error, "kill") == 0) kill(getpid(), SIGKILL);
  errno = EIO;
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
    if (strcmp(wanted_error, errors[i].name) == 0) errno = errors[i].number;
  return 1;
}

static int fails(const char *call, int descriptor) {
  if (strcmp(call, wanted_call) != 0) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t count = readlink(link, path, sizeof path - 1);
  if (count <= 0) return 0;
  path[count] = 0;
  return fails_at(call, path);
}

// MARK: - What is called instead

#define TAKE_MODE                        \
  mode_t mode = 0;                       \
  if (flags & (O_CREAT | __O_TMPFILE)) { \
    va_list arguments;                   \
    va_start(arguments, flags);          \
    mode = va_arg(arguments, mode_t);    \
    va_end(arguments);                   \
  }

int open(const char *path, int flags, ...) {
  REAL(open);
  TAKE_MODE
  return fails_at("open", path) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  REAL(open64);
  TAKE_MODE
  return fails_at("open", path) ? -1 : real(path, flags, mode);
}

ssize_t read(int descriptor, void *bytes, size_t count) {
  REAL(read);
  return fails("read", descriptor) ? -1 : real(descriptor, bytes, count);
}

ssize_t pread(int descriptor, void *bytes, size_t count, off_t offset) {
  REAL(pread);
  return fails("read", descriptor) ? -1 : real(descriptor, bytes, count, offset);
}

ssize_t pread64(int descriptor, void *bytes, size_t count, off64_t offset) {
  REAL(pread64);
  return fails("read", descriptor) ? -1 : real(descriptor, bytes, count, offset);
}

// What stdio reads does not come past `read`. `ferror` has to tell of the failure, which it does for a file that is not
// open for reading what is asked.
#undef fread_unlocked
size_t fread_unlocked(void *bytes, size_t size, size_t count, FILE *file) {
  REAL(fread_unlocked);
  if (!fails("read", fileno(file))) return real(bytes, size, count, file);
  file->_flags |= 0x20;  // glibc's mark of an error
  errno = EIO;
  return 0;
}

static int is_short(void) { return strcmp(wanted_error, "short") == 0 && failed_count == 1; }

ssize_t write(int descriptor, const void *bytes, size_t count) {
  REAL(write);
  if (!fails("write", descriptor)) return real(descriptor, bytes, count);
  return is_short() && count > 1 ? real(descriptor, bytes, count / 2) : -1;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  REAL(pwrite);
  if (!fails("write", descriptor)) return real(descriptor, bytes, count, offset);
  return is_short() && count > 1 ? real(descriptor, bytes, count / 2, offset) : -1;
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
  return pwrite(descriptor, bytes, count, offset);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  REAL(writev);
  return fails("write", descriptor) ? -1 : real(descriptor, parts, count);
}

int fsync(int descriptor) {
  REAL(fsync);
  return fails("sync", descriptor) ? -1 : real(descriptor);
}

int fdatasync(int descriptor) {
  REAL(fdatasync);
  return fails("sync", descriptor) ? -1 : real(descriptor);
}

int sync_file_range(int descriptor, off64_t offset, off64_t count, unsigned int flags) {
  REAL(sync_file_range);
  return fails("range", descriptor) ? -1 : real(descriptor, offset, count, flags);
}

int ftruncate(int descriptor, off_t length) {
  REAL(ftruncate);
  return fails("truncate", descriptor) ? -1 : real(descriptor, length);
}

int fallocate(int descriptor, int mode, off_t offset, off_t length) {
  REAL(fallocate);
  return fails("allocate", descriptor) ? -1 : real(descriptor, mode, offset, length);
}

int rename(const char *from, const char *to) {
  REAL(rename);
  return fails_at("rename", to) ? -1 : real(from, to);
}

int link(const char *from, const char *to) {
  REAL(link);
  return fails_at("link", to) ? -1 : real(from, to);
}

int unlink(const char *path) {
  REAL(unlink);
  return fails_at("unlink", path) ? -1 : real(path);
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  return fails_at("mkdir", path) ? -1 : real(path, mode);
}
