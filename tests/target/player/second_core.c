/* player/second_core.h on a machine with threads: one renders what the second core would. */
#include "player/second_core.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_t thread;
static struct {
    void (*run)(void *argument);
    void *argument;
} work;

static void *do_work(void *unused) {
    work.run(work.argument);
    return unused;
}

void second_core_start(void (*run)(void *argument), void *argument) {
    work.run = run;
    work.argument = argument;
    if (pthread_create(&thread, NULL, do_work, NULL) != 0) {
        abort();
    }
}

void second_core_wait(void) { pthread_join(thread, NULL); }
