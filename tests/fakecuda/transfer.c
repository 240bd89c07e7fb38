/* Copies, fills and host functions of the fake driver. Ranges are checked when they run, as a card
 * does; host memory has to be pinned, or the copy is counted (a real driver would wait in the
 * call). */
#include <stdlib.h>
#include <string.h>
#include "dev/cuda/driver.h"
#include "fakecuda/fake.h"

struct block_op {
    struct fake_op op;
    uint64_t dst, dst_pitch;
    uint64_t src, src_pitch; /* fills: src is the value */
    uint64_t width, height;
    unsigned element; /* fills: bytes of the value; copies: 0 */
    enum fake_memory dst_kind, src_kind;
};

static uint64_t block_bytes(uint64_t pitch, uint64_t width, uint64_t height)
{
    return (height - 1) * pitch + width;
}

static bool block_good(const struct block_op *b)
{
    if (fake_where(b->dst, block_bytes(b->dst_pitch, b->width, b->height)) != b->dst_kind &&
        b->dst_kind != FAKE_NOWHERE)
        return false;
    return b->element != 0 || b->src_kind == FAKE_NOWHERE ||
           fake_where(b->src, block_bytes(b->src_pitch, b->width, b->height)) == b->src_kind;
}

static void block_run(struct fake_op *op)
{
    struct block_op *b = (struct block_op *)(void *)op;

    if (fake_broken() == 0 && !block_good(b))
        fake_break(CUDA_ERROR_ILLEGAL_ADDRESS);
    for (uint64_t row = 0; row < b->height && fake_broken() == 0; row++) {
        char *dst = (char *)(uintptr_t)(b->dst + row * b->dst_pitch);
        if (b->element == 0)
            memmove(dst, (const char *)(uintptr_t)(b->src + row * b->src_pitch), b->width);
        for (uint64_t i = 0; b->element != 0 && i < b->width; i += b->element)
            memcpy(dst + i, &b->src, b->element);
    }
    free(op);
}

/* Host memory that is not pinned: done with, but counted. */
static enum fake_memory block_host(uint64_t address, uint64_t bytes)
{
    if (fake_where(address, bytes) == FAKE_HOST)
        return FAKE_HOST;
    (void)atomic_fetch_add(&fake_settings[FAKE_pageable], 1);
    return FAKE_NOWHERE;
}

static int block_add(const struct block_op *block, void *stream)
{
    struct block_op *op = malloc(sizeof *op);

    if (fake_broken() != 0 || block->width == 0 || block->height == 0) {
        free(op);
        return fake_broken();
    }
    *op = *block;
    op->op.run = block_run;
    return fake_enqueue(stream, &op->op);
}

static int block_flat(uint64_t dst, uint64_t src, size_t bytes, enum fake_memory kinds[2],
                      void *stream)
{
    struct block_op block = {.dst = dst,
                             .src = src,
                             .dst_pitch = bytes,
                             .src_pitch = bytes,
                             .width = bytes,
                             .height = 1,
                             .dst_kind = kinds[0],
                             .src_kind = kinds[1]};

    return block_add(&block, stream);
}

FAKE(int, cuMemcpyHtoDAsync_v2, (uint64_t dst, const void *src, size_t bytes, void *stream))
{
    enum fake_memory kinds[2] = {FAKE_DEVICE, block_host((uint64_t)(uintptr_t)src, bytes)};

    return block_flat(dst, (uint64_t)(uintptr_t)src, bytes, kinds, stream);
}

FAKE(int, cuMemcpyDtoHAsync_v2, (void *dst, uint64_t src, size_t bytes, void *stream))
{
    enum fake_memory kinds[2] = {block_host((uint64_t)(uintptr_t)dst, bytes), FAKE_DEVICE};

    return block_flat((uint64_t)(uintptr_t)dst, src, bytes, kinds, stream);
}

FAKE(int, cuMemcpyDtoDAsync_v2, (uint64_t dst, uint64_t src, size_t bytes, void *stream))
{
    enum fake_memory kinds[2] = {FAKE_DEVICE, FAKE_DEVICE};

    return block_flat(dst, src, bytes, kinds, stream);
}

FAKE(int, cuMemcpy2DAsync_v2, (const struct cuda_copy_2d *copy, void *stream))
{
    struct block_op block = {.dst_pitch = copy->dst_pitch,
                             .src_pitch = copy->src_pitch,
                             .width = copy->width,
                             .height = copy->height,
                             .dst_kind = FAKE_DEVICE,
                             .src_kind = FAKE_DEVICE};

    if (fake_get(FAKE_copy_2d_error) != 0)
        return (int)fake_get(FAKE_copy_2d_error);
    if (copy->src_x != 0 || copy->src_y != 0 || copy->dst_x != 0 || copy->dst_y != 0 ||
        copy->width > copy->src_pitch || copy->width > copy->dst_pitch ||
        copy->src_pitch > (size_t)fake_get(FAKE_pitch) ||
        copy->dst_pitch > (size_t)fake_get(FAKE_pitch))
        return CUDA_ERROR_INVALID_VALUE;
    block.src = copy->src_type == 1 ? (uint64_t)(uintptr_t)copy->src_host : copy->src_device;
    block.dst = copy->dst_type == 1 ? (uint64_t)(uintptr_t)copy->dst_host : copy->dst_device;
    if (copy->src_type == 1)
        block.src_kind =
            block_host(block.src, block_bytes(block.src_pitch, block.width, block.height));
    if (copy->dst_type == 1)
        block.dst_kind =
            block_host(block.dst, block_bytes(block.dst_pitch, block.width, block.height));
    return block_add(&block, stream);
}

/* Each of them as if it were copied by itself: the order is any. */
static int batch_copy(const uint64_t *dsts, const uint64_t *srcs, const size_t *sizes, size_t count,
                      void *stream)
{
    (void)atomic_fetch_add(&fake_settings[FAKE_batched], 1);
    for (size_t i = count; i-- > 0;) {
        bool in = fake_where(dsts[i], sizes[i]) == FAKE_DEVICE;
        enum fake_memory kinds[2] = {in ? FAKE_DEVICE : block_host(dsts[i], sizes[i]),
                                     in ? block_host(srcs[i], sizes[i]) : FAKE_DEVICE};
        int error = block_flat(dsts[i], srcs[i], sizes[i], kinds, stream);
        if (error != 0)
            return error;
    }
    return CUDA_SUCCESS;
}

FAKE(int, cuMemcpyBatchAsync,
     (uint64_t * dsts, uint64_t *srcs, size_t *sizes, size_t count,
      struct cuda_copy_attributes *attributes, size_t *firsts, size_t attribute_count,
      size_t *failed, void *stream))
{
    if (fake_get(FAKE_batch) < 12)
        return CUDA_ERROR_NOT_SUPPORTED;
    if (attribute_count != 1 || firsts[0] != 0 || attributes->src_order != 1 || failed == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    return batch_copy(dsts, srcs, sizes, count, stream);
}

FAKE(int, cuMemcpyBatchAsync_v2,
     (uint64_t * dsts, uint64_t *srcs, size_t *sizes, size_t count,
      struct cuda_copy_attributes *attributes, size_t *firsts, size_t attribute_count,
      void *stream))
{
    if (fake_get(FAKE_batch) < 13)
        return CUDA_ERROR_NOT_SUPPORTED;
    if (attribute_count != 1 || firsts[0] != 0 || attributes->src_order != 1)
        return CUDA_ERROR_INVALID_VALUE;
    return batch_copy(dsts, srcs, sizes, count, stream);
}

/* A fill as a block: elements of `element` bytes. */
static int block_fill(struct block_op block, unsigned element, void *stream)
{
    if (block.dst % element != 0 || (block.height > 1 && block.dst_pitch % element != 0) ||
        (block.height > 1 && block.width * element > block.dst_pitch))
        return CUDA_ERROR_INVALID_VALUE;
    block.width *= element;
    block.element = element;
    block.dst_kind = FAKE_DEVICE;
    return block_add(&block, stream);
}

#define TRANSFER_FILL(name, type)                                                                  \
    FAKE(int, name,                                                                                \
         (uint64_t dst, size_t pitch, type value, size_t width, size_t height, void *stream))      \
    {                                                                                              \
        struct block_op block = {                                                                  \
            .dst = dst, .dst_pitch = pitch, .src = value, .width = width, .height = height};       \
        return block_fill(block, (unsigned)sizeof(type), stream);                                  \
    }

TRANSFER_FILL(cuMemsetD2D8Async, unsigned char)
TRANSFER_FILL(cuMemsetD2D16Async, unsigned short)
TRANSFER_FILL(cuMemsetD2D32Async, unsigned)

struct call_op {
    struct fake_op op;
    void (*call)(void *user);
    void *user;
};

static void call_run(struct fake_op *op)
{
    struct call_op *call = (struct call_op *)(void *)op;

    if (fake_broken() == 0)
        call->call(call->user);
    free(op);
}

FAKE(int, cuLaunchHostFunc, (void *stream, void (*call)(void *user), void *user))
{
    struct call_op *op = malloc(sizeof *op);

    if (fake_broken() != 0) {
        free(op);
        return fake_broken();
    }
    (void)atomic_fetch_add(&fake_settings[FAKE_staged], 1);
    *op = (struct call_op){{.run = call_run}, call, user};
    return fake_enqueue(stream, &op->op);
}
