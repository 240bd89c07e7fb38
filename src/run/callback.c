/* Completion callbacks run on a thread of their own, outside of every lock, so that they may call
 * the API.
 *
 * Takes ended tasks from the pump (callback_order), calls their on_done, gives them back
 * (callback_feed). The thread is started by the submit of the first task that has a callback, which
 * is refused where there is no thread to be had; from then on nothing can fail, for the tasks wait
 * in two inboxes that are linked through their own records. Keeps true: callbacks come in the order
 * in which the tasks ended; one ordered before callback_fini is called before the thread ends.
 */
#include "base/error.h"
#include "base/role.h"
#include "run/driver.h"

static void callback_call(struct driver *driver, uint32_t index)
{
    const struct task *task = engine_task(&driver->engine, index);
    const struct task_extra *extra = task_extra(task);
    role_now = ROLE_CALLBACK;
    extra->on_done(driver_task_handle(driver, index, task_generation(task)),
                   (fgpu_status)task->status, extra->on_done_user);
    role_now = ROLE_USER;
    (void)inbox_push(&driver->callbacks.returned, index);
    (void)atomic_sub_seqcst_u32(&driver->callbacks.out, 1);
    doorbell_ring(&driver->bell);
}

static void *callback_main(void *arg)
{
    struct driver *driver = arg;
    struct driver_callbacks *callbacks = &driver->callbacks;
    for (;;) {
        uint32_t seen = doorbell_read(&callbacks->bell);
        uint32_t index = inbox_drain(&callbacks->ended);
        bool any = index != INBOX_NONE;
        while (index != INBOX_NONE) {
            uint32_t next = inbox_next(&callbacks->ended, index);
            callback_call(driver, index);
            index = next;
        }
        if (any)
            continue;
        if (atomic_load_acquire_u32(&callbacks->stop))
            return NULL;
        (void)doorbell_wait(&callbacks->bell, seen, 0, DOORBELL_FOREVER);
    }
}

void callback_init(struct driver *driver)
{
    struct driver_callbacks *callbacks = &driver->callbacks;
    inbox_init(&callbacks->ended, &driver->engine.tasks, offsetof(struct task, next));
    inbox_init(&callbacks->returned, &driver->engine.tasks, offsetof(struct task, next));
    doorbell_init(&callbacks->bell);
    lock_init(&callbacks->lock);
}

fgpu_status callback_start(struct driver *driver)
{
    fgpu_status status = FGPU_OK;
    lock_acquire(&driver->callbacks.lock);
    if (!atomic_load_relaxed_u32(&driver->callbacks.started)) {
        status = driver_thread(&driver->callbacks.thread, "fgpu-callback", callback_main, driver);
        atomic_store_release_u32(&driver->callbacks.started, status == FGPU_OK);
    }
    lock_release(&driver->callbacks.lock);
    return status == FGPU_OK
               ? status
               : error_set(status, "the thread that would call on_done cannot be started");
}

void callback_order(struct driver *driver, uint32_t task)
{
    (void)atomic_add_seqcst_u32(&driver->callbacks.out, 1);
    (void)inbox_push(&driver->callbacks.ended, task);
    doorbell_ring(&driver->callbacks.bell);
}

bool callback_feed(struct driver *driver)
{
    if (inbox_is_empty(&driver->callbacks.returned))
        return false;
    uint32_t index = inbox_drain(&driver->callbacks.returned);
    while (index != INBOX_NONE) {
        uint32_t next = inbox_next(&driver->callbacks.returned, index);
        engine_callback_done(&driver->engine, index);
        index = next;
    }
    return true;
}

void callback_fini(struct driver *driver)
{
    if (!atomic_load_acquire_u32(&driver->callbacks.started))
        return;
    atomic_store_release_u32(&driver->callbacks.stop, 1);
    doorbell_ring(&driver->callbacks.bell);
    pthread_join(driver->callbacks.thread, NULL);
    atomic_store_release_u32(&driver->callbacks.started, 0);
}
