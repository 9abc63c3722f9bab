// This process as the operating system sees it: what it inherited, and how it ends.
#ifndef PODWIRE_PROCESS_H
#define PODWIRE_PROCESS_H

// The most that the waits of one run add up to is 40 s (GC). Whoever is still there after this has met
// something that blocks without end, such as a standard output that nobody reads.
enum { PROCESS_SECONDS_MAX = 45 };

// Makes the process independent of what the runtime left open or set, and ends it by SIGALRM after
// PROCESS_SECONDS_MAX. Returns NULL, or why this process must not go on.
const char *process_settle(void);

#endif
