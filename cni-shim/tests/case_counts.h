// What the driver and the harness share: the counts of one test process.
#ifndef PODWIRE_TEST_CASE_COUNTS_H
#define PODWIRE_TEST_CASE_COUNTS_H

struct counts {
    int passed;
    int failed;
};

extern struct counts *counts;   // In memory shared with the driver.
extern char current_test[128];  // "binary test", for messages.

// Ends the current case and counts it.
void row_end(void);

#endif
