// Stands between a program and the file system, and writes down what would survive if the power failed: a kill alone
// proves nothing about syncing, because the system keeps what was written. To be preloaded.
//
//   POWERLESS_ROOT    the folder that is watched, absolute
//   POWERLESS_SHADOW  an empty folder outside of it, for what is durable
//   POWERLESS_LIE     if it is set, syncing makes nothing durable
//   POWERLESS_FAULT   "CALL:PATTERN:COUNT:ERROR" lets the COUNTth call fail, and all later ones: CALL is write or sync,
//                     PATTERN is a part of the file's path, ERROR is EIO, ENOSPC, or short (a write of half the bytes,
//                     then ENOSPC)
//
// In the shadow, `inodes/KEY` is what is durable of a file, and `names/FOLDER` lists the durable names of a folder, one a
// line: kind, key, name. A sync of a file makes its bytes durable, its name, and the folders it is in, as the file systems
// do on which data is kept; a name that was removed or changed stays until something in its folder is synced. A file is
// known by its inode and its time of birth, because inodes are used again.
#define _GNU_SOURCE
#include <dirent.h>
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

enum { FILES_MAX = 1 << 16, DESCRIPTORS_MAX = 1 << 16 };

// What was written to a file since it was synced last.
struct file {
  char key[64];
  off_t low, high;
};

static struct file files[FILES_MAX];
static int file_count;
static int file_of[DESCRIPTORS_MAX];  // 1 and up; 0 is none
static char *path_of[DESCRIPTORS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *shadow;
static int lies;
static char fault_call[16], fault_pattern[128], fault_error[16];
static long fault_count = -1;

static int (*real_open)(const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_close)(int);

static void make_shadow(void);
static void adopt(const char *folder);

static void *find(const char *name) { return dlsym(RTLD_NEXT, name); }

static int is_complete(void) {
  char done[PATH_MAX];
  snprintf(done, sizeof done, "%s/complete", shadow);
  return access(done, F_OK) == 0;
}

__attribute__((constructor)) static void begin(void) {
  real_open = find("open");
  real_write = find("write");
  real_pwrite = find("pwrite");
  real_writev = find("writev");
  real_pwritev = find("pwritev");
  real_ftruncate = find("ftruncate");
  real_fsync = find("fsync");
  real_fdatasync = find("fdatasync");
  real_close = find("close");
  root = getenv("POWERLESS_ROOT");
  shadow = getenv("POWERLESS_SHADOW");
  lies = getenv("POWERLESS_LIE") != NULL;
  const char *fault = getenv("POWERLESS_FAULT");
  if (fault && sscanf(fault, "%15[^:]:%127[^:]:%ld:%15s", fault_call, fault_pattern, &fault_count, fault_error) != 4) {
    fprintf(stderr, "powerless: POWERLESS_FAULT is not CALL:PATTERN:COUNT:ERROR\n");
    _exit(99);
  }
  if (root && shadow && !is_complete()) {
    make_shadow();
    adopt(root);
    // Who is killed before this has changed nothing.
    char done[PATH_MAX];
    snprintf(done, sizeof done, "%s/complete", shadow);
    close(real_open(done, O_WRONLY | O_CREAT, 0600));
  }
}

static int is_watched(const char *path) {
  if (!root || !shadow) return 0;
  size_t length = strlen(root);
  return strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static void make_absolute(const char *path, char *absolute) {
  if (path[0] == '/') {
    snprintf(absolute, PATH_MAX, "%s", path);
  } else {
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here)) here[0] = 0;
    while (path[0] == '.' && path[1] == '/') path += 2;
    snprintf(absolute, PATH_MAX, "%s/%s", here, path);
  }
}

static int make_key(int descriptor, char *key, size_t size) {
  struct statx status;
  if (statx(descriptor, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status) != 0) return 0;
  snprintf(
    key, size, "%llu-%lld-%u", (unsigned long long)status.stx_ino, (long long)status.stx_btime.tv_sec,
    status.stx_btime.tv_nsec);
  return 1;
}

// The lock is held in everything below that touches the tables.

static void remember(int descriptor, const char *path) {
  if (descriptor < 0 || descriptor >= DESCRIPTORS_MAX) return;
  char key[64];
  if (!make_key(descriptor, key, sizeof key)) return;
  int number = 1;
  while (number <= file_count && strcmp(files[number].key, key) != 0) number++;
  if (number > file_count) {
    if (number >= FILES_MAX) abort();
    file_count = number;
    snprintf(files[number].key, sizeof files[number].key, "%s", key);
    files[number].low = files[number].high = 0;
  }
  file_of[descriptor] = number;
  free(path_of[descriptor]);
  path_of[descriptor] = strdup(path);
}

static int watched(int descriptor) {
  return descriptor >= 0 && descriptor < DESCRIPTORS_MAX && file_of[descriptor];
}

static void forget(int descriptor) {
  file_of[descriptor] = 0;
  free(path_of[descriptor]);
  path_of[descriptor] = NULL;
}

static void mark(int descriptor, off_t low, off_t high) {
  if (!watched(descriptor)) return;
  struct file *file = &files[file_of[descriptor]];
  if (file->high == file->low) {
    file->low = low;
    file->high = high;
  } else {
    if (low < file->low) file->low = low;
    if (high > file->high) file->high = high;
  }
}

static void shadow_path(char *path, const char *part, const char *name) {
  snprintf(path, PATH_MAX, "%s/%s/%s", shadow, part, name);
}

// Folders are named in the shadow by their path below the root, with each slash written as a percent sign.
static void names_path(char *path, const char *folder) {
  char name[PATH_MAX];
  snprintf(name, sizeof name, "root%s", folder + strlen(root));
  for (char *letter = name; *letter; letter++)
    if (*letter == '/') *letter = '%';
  shadow_path(path, "names", name);
}

static void make_shadow(void) {
  char path[PATH_MAX];
  mkdir(shadow, 0700);
  snprintf(path, sizeof path, "%s/inodes", shadow);
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/names", shadow);
  mkdir(path, 0700);
}

// Copies what was written since the last sync, and no more.
static void keep_bytes(int descriptor) {
  struct file *file = &files[file_of[descriptor]];
  char path[PATH_MAX], own[64];
  struct stat status;
  shadow_path(path, "inodes", file->key);
  snprintf(own, sizeof own, "/proc/self/fd/%d", descriptor);
  int from = real_open(own, O_RDONLY | O_CLOEXEC);
  int to = real_open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (from >= 0 && to >= 0 && fstat(from, &status) == 0) {
    static char buffer[1 << 16];
    off_t position = file->low;
    off_t end = file->high < status.st_size ? file->high : status.st_size;
    while (position < end) {
      size_t wanted = (size_t)(end - position) < sizeof buffer ? (size_t)(end - position) : sizeof buffer;
      ssize_t count = pread(from, buffer, wanted, position);
      if (count <= 0) break;
      if (real_pwrite(to, buffer, (size_t)count, position) != count) abort();
      position += count;
    }
    if (real_ftruncate(to, status.st_size) != 0) abort();
    file->low = file->high = 0;
  }
  if (from >= 0) real_close(from);
  if (to >= 0) real_close(to);
}

// Writes down which names a folder has now.
static void keep_names(const char *folder) {
  char path[PATH_MAX], draft[PATH_MAX + 8];
  names_path(path, folder);
  snprintf(draft, sizeof draft, "%s.new", path);
  DIR *entries = opendir(folder);
  if (!entries) return;
  FILE *list = fopen(draft, "w");
  if (!list) abort();
  struct dirent *entry;
  while ((entry = readdir(entries))) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    int descriptor = openat(dirfd(entries), entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    char key[64];
    if (descriptor < 0) continue;
    if (make_key(descriptor, key, sizeof key))
      fprintf(list, "%c %s %s\n", entry->d_type == DT_DIR ? 'd' : 'f', key, entry->d_name);
    real_close(descriptor);
  }
  closedir(entries);
  fclose(list);
  rename(draft, path);
}

// The folders above `path` that are below the root, and the names in them.
static void keep_folders(const char *path) {
  char folder[PATH_MAX];
  snprintf(folder, sizeof folder, "%s", path);
  char *slash;
  while ((slash = strrchr(folder, '/')) && strlen(folder) > strlen(root)) {
    *slash = 0;
    if (!is_watched(folder)) return;
    keep_names(folder);
  }
}

static int fails(const char *call, int descriptor) {
  if (fault_count < 0 || strcmp(call, fault_call) != 0) return 0;
  if (descriptor < 0 || descriptor >= DESCRIPTORS_MAX || !path_of[descriptor]) return 0;
  if (!strstr(path_of[descriptor] + strlen(root), fault_pattern)) return 0;
  if (fault_count > 1) {
    fault_count--;
    return 0;
  }
  return 1;
}

static int error_number(void) { return strcmp(fault_error, "EIO") == 0 ? EIO : ENOSPC; }

// What is there when the program starts is durable.
static void adopt(const char *folder) {
  DIR *entries = opendir(folder);
  if (!entries) return;
  keep_names(folder);
  struct dirent *entry;
  while ((entry = readdir(entries))) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (entry->d_type == DT_DIR) {
      adopt(path);
      continue;
    }
    int descriptor = real_open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0) continue;
    remember(descriptor, path);
    if (watched(descriptor)) {
      mark(descriptor, 0, status.st_size);
      keep_bytes(descriptor);
      forget(descriptor);
    }
    real_close(descriptor);
  }
  closedir(entries);
}

// MARK: - What is called instead

static int opened(int descriptor, const char *path) {
  if (descriptor < 0) return descriptor;
  char absolute[PATH_MAX];
  make_absolute(path, absolute);
  pthread_mutex_lock(&lock);
  if (descriptor < DESCRIPTORS_MAX) {
    file_of[descriptor] = 0;
    if (is_watched(absolute)) remember(descriptor, absolute);
  }
  pthread_mutex_unlock(&lock);
  return descriptor;
}

#define TAKE_MODE                                   \
  mode_t mode = 0;                                  \
  if (flags & (O_CREAT | __O_TMPFILE)) {            \
    va_list arguments;                              \
    va_start(arguments, flags);                     \
    mode = va_arg(arguments, mode_t);               \
    va_end(arguments);                              \
  }

int open(const char *path, int flags, ...) {
  TAKE_MODE
  int descriptor = opened(real_open(path, flags, mode), path);
  if (descriptor >= 0 && flags & O_TRUNC) mark(descriptor, 0, 0);
  return descriptor;
}

int open64(const char *path, int flags, ...) {
  TAKE_MODE
  return opened(real_open(path, flags | O_LARGEFILE, mode), path);
}

int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int descriptor) {
  pthread_mutex_lock(&lock);
  if (watched(descriptor)) forget(descriptor);
  pthread_mutex_unlock(&lock);
  return real_close(descriptor);
}

// Lets a write fail if it is to. Returns how many bytes it may have; -1 if it fails.
static ssize_t admit(int descriptor, size_t count) {
  pthread_mutex_lock(&lock);
  int is_fault = fails("write", descriptor);
  int is_short = is_fault && strcmp(fault_error, "short") == 0 && fault_count == 1 && count > 1;
  if (is_short) fault_count = 0;
  pthread_mutex_unlock(&lock);
  if (is_short) return (ssize_t)(count / 2);
  if (!is_fault) return (ssize_t)count;
  errno = error_number();
  return -1;
}

static ssize_t wrote(int descriptor, off_t offset, ssize_t count) {
  if (count <= 0) return count;
  int kept = errno;
  pthread_mutex_lock(&lock);
  mark(descriptor, offset, offset + count);
  pthread_mutex_unlock(&lock);
  errno = kept;
  return count;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
  if (!real_write) real_write = find("write");
  if (!watched(descriptor)) return real_write(descriptor, bytes, count);
  ssize_t admitted = admit(descriptor, count);
  if (admitted < 0) return -1;
  ssize_t result = real_write(descriptor, bytes, (size_t)admitted);
  if (result <= 0) return result;
  // Where it went, also for a file that is only appended to.
  off_t end = lseek(descriptor, 0, SEEK_CUR);
  return wrote(descriptor, end - result, result);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  if (!watched(descriptor)) return real_pwrite(descriptor, bytes, count, offset);
  ssize_t admitted = admit(descriptor, count);
  if (admitted < 0) return -1;
  return wrote(descriptor, offset, real_pwrite(descriptor, bytes, (size_t)admitted, offset));
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
  return pwrite(descriptor, bytes, count, offset);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  if (!watched(descriptor)) return real_writev(descriptor, parts, count);
  if (admit(descriptor, 1) < 0) return -1;
  ssize_t result = real_writev(descriptor, parts, count);
  if (result <= 0) return result;
  return wrote(descriptor, lseek(descriptor, 0, SEEK_CUR) - result, result);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
  if (!watched(descriptor)) return real_pwritev(descriptor, parts, count, offset);
  if (admit(descriptor, 1) < 0) return -1;
  return wrote(descriptor, offset, real_pwritev(descriptor, parts, count, offset));
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t offset) {
  return pwritev(descriptor, parts, count, offset);
}

// Stdio does not come past `write`; RocksDB writes nothing through it that has to be durable.

static int sync_with(int (*real)(int), int descriptor) {
  if (!watched(descriptor)) return real(descriptor);
  pthread_mutex_lock(&lock);
  int is_fault = fails("sync", descriptor);
  pthread_mutex_unlock(&lock);
  if (is_fault) {
    errno = error_number();
    return -1;
  }
  int result = real(descriptor);
  if (result != 0 || lies) return result;
  struct stat status;
  int kept = errno;
  pthread_mutex_lock(&lock);
  make_shadow();
  if (fstat(descriptor, &status) == 0 && path_of[descriptor]) {
    if (S_ISDIR(status.st_mode)) {
      keep_names(path_of[descriptor]);
    } else {
      keep_bytes(descriptor);
    }
    keep_folders(path_of[descriptor]);
  }
  pthread_mutex_unlock(&lock);
  errno = kept;
  return result;
}

int fsync(int descriptor) { return sync_with(real_fsync, descriptor); }
int fdatasync(int descriptor) { return sync_with(real_fdatasync, descriptor); }
