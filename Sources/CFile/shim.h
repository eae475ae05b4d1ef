// <fcntl.h> declares it only for those that ask for GNU's extensions, which the C library's own module does not.
extern int sync_file_range(int descriptor, long long offset, long long bytes, unsigned int flags);

/// Begin to write what is dirty in the range, and do not wait.
static const unsigned int sync_file_range_write = 2;
