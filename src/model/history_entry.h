/* What history.c and history_blob.c share, and nobody else: making an entry and settling its
 * prediction. */
#ifndef FASTGPU_MODEL_HISTORY_ENTRY_H
#define FASTGPU_MODEL_HISTORY_ENTRY_H

#include "model/history.h"

/* The entry of a bucket, made when it is new. HISTORY_NONE at the limit or without memory. */
uint32_t history_make_entry(struct history *history, uint64_t kernel, uint64_t device,
                            uint16_t bucket);

/* Its samples have changed: makes the prediction anew. */
void history_settle_entry(struct history *history, uint32_t slot);

#endif
