/* The consumer's side of the inbox. See base/inbox.h. */
#include "base/inbox.h"

void inbox_init(struct inbox *inbox, const struct table *table, size_t next_offset)
{
    FGPU_ASSERT(next_offset % sizeof(uint32_t) == 0 &&
                next_offset + sizeof(uint32_t) <= table->item_bytes);
    inbox->table = table;
    inbox->next_offset = next_offset;
    atomic_store_relaxed_u64(&inbox->head, INBOX_NONE);
}

uint32_t inbox_drain(struct inbox *inbox)
{
    /* An empty inbox is looked at often: do not take its cache line away from producers. */
    if (inbox_is_empty(inbox))
        return INBOX_NONE;
    uint32_t index = (uint32_t)atomic_exchange_seqcst_u64(&inbox->head, INBOX_NONE);
    uint32_t newer = INBOX_NONE;
    while (index != INBOX_NONE) {
        _Atomic uint32_t *link = inbox_link(inbox, index);
        uint32_t older = atomic_load_relaxed_u32(link);
        atomic_store_relaxed_u32(link, newer);
        newer = index;
        index = older;
    }
    return newer;
}
