#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>

// Names the calling thread for debuggers, by the first 15 bytes of the name.
static inline void raftnode_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
