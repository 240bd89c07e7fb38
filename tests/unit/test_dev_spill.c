/* The spill folder: chunks as they are kept, the file against plain memory, a disk that is full or
 * damaged, and the device's queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fastgpu/fastgpu.h>

#include "base/atomic.h"
#include "base/error.h"
#include "base/rng.h"
#include "dev/spill/spill.h"
#include "dev/spill/spill_file.h"
#include "tests/lib/seed.h"
#include "tests/lib/temp_folder.h"

#define PIECE (5 * PACK_CHUNK_BYTES)

static struct pack pack;
static unsigned char plain[PACK_CHUNK_BYTES], coded[PACK_CHUNK_BYTES], back[PACK_CHUNK_BYTES];
static struct spill_file file;
static unsigned char model[PIECE], got[PIECE];

static void put_get(enum pack_form asked, uint32_t bytes, enum pack_form want)
{
    uint32_t stored;
    memset(back, 0xee, sizeof back);
    enum pack_form form = pack_put(&pack, asked, plain, bytes, coded, &stored);
    assert_int_equal(form, want);
    assert_true(form == PACK_ZERO ? stored == 0 : form == PACK_RAW || stored <= bytes - bytes / 8);
    assert_true(pack_get(&pack, form, form == PACK_RAW ? plain : coded, stored, back, bytes));
    assert_memory_equal(back, plain, bytes);
}

static void fill_random(struct rng *rng, unsigned char *to, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)rng_u64(rng);
}

/* Floats of like size, noise below. */
static void fill_floats(struct rng *rng)
{
    for (uint32_t i = 0; i < sizeof plain / 4; i++) {
        float value = 1.0f + (float)(rng_u64(rng) % 65536) / 65536.0f;
        memcpy(plain + 4 * i, &value, 4);
    }
}

/* Six bits of noise in each byte: nothing repeats, but a quarter is saved by coding symbols. */
static void fill_letters(struct rng *rng)
{
    for (uint32_t i = 0; i < sizeof plain; i++)
        plain[i] = (unsigned char)(' ' + rng_u64(rng) % 64);
}

/* What comes of asking for the form: the chunk as it is where the library is not there. */
static enum pack_form or_raw(enum pack_form form)
{
    return codec_is_there(form >= PACK_ZSTD ? CODEC_ZSTD : CODEC_LZ4) ? form : PACK_RAW;
}

static void test_pack(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    pack_init(&pack, PACK_AUTO);
    bool lz4 = codec_is_there(CODEC_LZ4);
    memset(plain, 0, sizeof plain);
    assert_int_equal(pack_choose(&pack, plain, sizeof plain), PACK_RAW);
    put_get(PACK_LZ4, sizeof plain, PACK_ZERO);
    put_get(PACK_RAW, 1, PACK_ZERO);
    plain[sizeof plain - 1] = 1; /* all but one */
    put_get(PACK_LZ4, sizeof plain, or_raw(PACK_LZ4));
    put_get(PACK_ZSTD, sizeof plain, or_raw(PACK_ZSTD));
    fill_random(&rng, plain, sizeof plain); /* does not pay */
    assert_int_equal(pack_choose(&pack, plain, sizeof plain), PACK_RAW);
    put_get(PACK_LZ4_BY4, sizeof plain, PACK_RAW);
    put_get(PACK_ZSTD_BY8, sizeof plain, PACK_RAW);
    fill_floats(&rng);
    enum pack_form form = pack_choose(&pack, plain, sizeof plain);
    assert_true(lz4 ? form == PACK_LZ4_BY4 || form == PACK_LZ4_BY8 : form == PACK_RAW);
    for (enum pack_form f = PACK_LZ4; f <= PACK_ZSTD_BY8; f++) {
        bool grouped = f != PACK_LZ4 && f != PACK_ZSTD;
        put_get(f, sizeof plain - 3, grouped ? or_raw(f) : f == PACK_LZ4 ? PACK_RAW : or_raw(f));
        put_get(f, 63, PACK_RAW); /* too short to try */
        uint32_t stored;
        if (grouped && or_raw(f) == f) {
            assert_int_equal(pack_put(&pack, f, plain, sizeof plain, coded, &stored), f);
            assert_false(pack_get(&pack, f, coded, stored - 9, back, sizeof back));
        }
    }
    pack_fini(&pack);
}

/* Which of the two: what the folder gains against the time that it takes. */
static void test_pack_better(void **state)
{
    (void)state;
    const struct pack_trial raw = {PACK_RAW, 1000, 0}, quick = {PACK_LZ4, 600, 100},
                            small = {PACK_ZSTD_BY4, 400, 500}, large = {PACK_ZSTD, 700, 50},
                            none = {PACK_RAW, 1000, 0};
    assert_ptr_equal(pack_better(&quick, &small, 0), &quick);
    assert_ptr_equal(pack_better(&quick, &small, 1.9), &quick); /* 380 ns for 400 */
    assert_ptr_equal(pack_better(&quick, &small, 2.1), &small); /* 420 */
    assert_ptr_equal(pack_better(&quick, &large, 1000), &quick);
    assert_ptr_equal(pack_better(&quick, &none, 1000), &quick);
    assert_ptr_equal(pack_better(&raw, &small, 0.8), &raw); /* 480 ns for 500 */
    assert_ptr_equal(pack_better(&raw, &small, 0.9), &small);
}

/* The folder decides, and whoever opened the pool before it. */
static void test_pack_choose(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 4);
    fill_letters(&rng);
    pack_init(&pack, PACK_AUTO);
    if (!codec_is_there(CODEC_ZSTD) || !codec_is_there(CODEC_LZ4)) {
        pack_fini(&pack);
        skip();
    }
    assert_int_equal(pack_choose(&pack, plain, sizeof plain), PACK_RAW); /* LZ4 finds nothing */
    pack.folder_ns = 1e6;                                                /* a millisecond a byte */
    assert_int_equal(pack_choose(&pack, plain, sizeof plain), PACK_ZSTD);
    assert_true(pack.zstd_ns > 0);
    /* Measured at a bad moment: as if it could not pay though nothing were left. It is not asked
     * for a while. */
    uint32_t asked = 0;
    pack.zstd_ns = 2e6;
    while (asked < 100 && pack_choose(&pack, plain, sizeof plain) == PACK_RAW)
        asked++;
    assert_in_range(asked, 20, 60);
    assert_true(pack.zstd_ns < 1e6); /* measured anew */
    fill_floats(&rng);
    pack.folder_ns = 1e6;
    enum pack_form form = pack_choose(&pack, plain, sizeof plain);
    assert_true(form >= PACK_ZSTD_BY4);
    pack.mode = PACK_ONLY_LZ4;
    form = pack_choose(&pack, plain, sizeof plain);
    assert_true(form == PACK_LZ4_BY4 || form == PACK_LZ4_BY8);
    pack.mode = PACK_NEVER;
    assert_int_equal(pack_choose(&pack, plain, sizeof plain), PACK_RAW);
    pack.mode = PACK_ONLY_ZSTD;
    pack.folder_ns = 0;
    form = pack_choose(&pack, plain, sizeof plain);
    assert_true(form >= PACK_ZSTD);
    pack_fini(&pack);
}

static void file_open(enum pack_mode mode)
{
    if (spill_file_open(&file, temp_folder_path(""), mode) != FGPU_OK)
        fail_msg("%s", error_text());
}

/* A range of noise, of zeros, or of what compresses. */
static void draw(struct rng *rng, unsigned char *to, uint32_t bytes)
{
    uint64_t kind = rng_u64(rng) % 3;
    memset(to, 0, bytes);
    if (kind == 1)
        fill_random(rng, to, bytes);
    for (uint32_t i = 0; kind == 2 && i < bytes; i += 16)
        to[i] = (unsigned char)rng_u64(rng);
}

/* Random ranges against plain memory; some writes find the disk full: then their own range alone
 * may be lost. */
static void write_some(struct rng *rng, uint32_t count, bool full)
{
    struct spill_piece *piece = spill_file_take(&file, PIECE);
    static bool known[PIECE];
    static unsigned char from[PIECE];
    memset(known, 0, sizeof known);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)(rng_u64(rng) % PIECE);
        uint32_t bytes = 1 + (uint32_t)(rng_u64(rng) % (PIECE - at));
        bytes = rng_u64(rng) % 2 ? bytes : bytes % 999 + 1;
        bytes = bytes < PIECE - at ? bytes : PIECE - at;
        draw(rng, from, bytes);
        bool refuse = full && rng_u64(rng) % 3 == 0;
        if (refuse)
            temp_folder_fill_disk(rng_u64(rng) % (4 * PACK_CHUNK_BYTES));
        fgpu_status status = spill_file_write(&file, piece, at, from, bytes);
        if (refuse)
            temp_folder_empty_disk();
        /* Also a part of a chunk whose last write was refused half way. */
        assert_true(status == FGPU_OK || (full && status == FGPU_E_IO));
        memcpy(model + at, from, bytes);
        memset(known + at, status == FGPU_OK, bytes);
        for (uint32_t j = 0; j < PIECE; j += bytes) { /* what is known is there */
            bytes = 1 + (uint32_t)(rng_u64(rng) % 70000);
            bytes = bytes < PIECE - j ? bytes : PIECE - j;
            bool all = memchr(known + j, 0, bytes) == NULL;
            status = spill_file_read(&file, piece, j, got, bytes);
            if (all)
                assert_int_equal(status, full ? status : FGPU_OK);
            if (all && status == FGPU_OK)
                assert_memory_equal(got, model + j, bytes);
        }
    }
    spill_file_give(&file, piece);
}

static void test_file(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), zeros = 0;
    for (uint64_t seed = first; seed < first + seed_count(20); seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        file_open((enum pack_mode)(seed % 4));
        write_some(&rng, 10, false);
        write_some(&rng, 10, true);
        assert_int_equal(file.end, PIECE); /* the first one's place was used again */
        zeros += file.zero_chunks;
        spill_file_close(&file);
    }
    assert_true(zeros > 0 || seed_count(20) < 4);
    assert_int_equal(temp_folder_count(), 0);
}

/* A write into a chunk that finds the disk full leaves the rest of the chunk. */
static void test_full_disk_keeps(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5);
    file_open(PACK_AUTO);
    struct spill_piece *piece = spill_file_take(&file, PIECE);
    memset(model, 7, PACK_CHUNK_BYTES); /* a few bytes, compressed, or the whole without */
    assert_int_equal(spill_file_write(&file, piece, 0, model, PACK_CHUNK_BYTES), FGPU_OK);
    uint32_t room = piece->chunks[0].stored;
    fill_random(&rng, got, 60000);
    temp_folder_fill_disk(room);
    fgpu_status status = spill_file_write(&file, piece, 100, got, 60000);
    temp_folder_empty_disk();
    if (room < 60000) {
        assert_int_equal(status, FGPU_E_IO);
        assert_int_equal(spill_file_read(&file, piece, 0, got, PACK_CHUNK_BYTES), FGPU_OK);
        assert_memory_equal(got, model, PACK_CHUNK_BYTES);
    }
    spill_file_give(&file, piece);
    spill_file_close(&file);
}

/* What a refused write was to replace is lost, but its place takes a shorter one after that. */
static void test_refused_then_shorter(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 6);
    file_open(PACK_NEVER);
    struct spill_piece *piece = spill_file_take(&file, PIECE);
    fill_random(&rng, model, PACK_CHUNK_BYTES);
    assert_int_equal(spill_file_write(&file, piece, 0, model, PACK_CHUNK_BYTES), FGPU_OK);
    temp_folder_fill_disk(4096); /* half way */
    assert_int_equal(spill_file_write(&file, piece, 0, model + 1, PACK_CHUNK_BYTES), FGPU_E_IO);
    temp_folder_empty_disk();
    assert_int_equal(spill_file_read(&file, piece, 0, got, 1), FGPU_E_IO);
    assert_int_equal(spill_file_write(&file, piece, 0, model, 1000), FGPU_OK);
    assert_int_equal(spill_file_write(&file, piece, 2000, model + 2000, 500), FGPU_OK);
    assert_int_equal(spill_file_read(&file, piece, 0, got, 1000), FGPU_OK);
    assert_memory_equal(got, model, 1000);
    assert_int_equal(spill_file_read(&file, piece, 2000, got, 500), FGPU_OK);
    assert_memory_equal(got, model + 2000, 500);
    spill_file_give(&file, piece);
    spill_file_close(&file);
}

/* Of a disk that refuses also what was there before nothing is made up: what nobody wrote anew
 * cannot be read, nor be jumped over. */
static void test_lost_is_not_read(void **state)
{
    (void)state;
    file_open(PACK_NEVER);
    struct spill_piece *piece = spill_file_take(&file, PIECE);
    memset(model, 7, sizeof model);
    assert_int_equal(spill_file_write(&file, piece, 0, model, 8000), FGPU_OK);
    piece->chunks[0].length = 0; /* as such a disk leaves it */
    piece->chunks[0].lost = 8000;
    assert_int_equal(spill_file_read(&file, piece, 0, got, 100), FGPU_E_IO);
    assert_int_equal(spill_file_write(&file, piece, 4000, model, 100), FGPU_E_IO);
    assert_int_equal(spill_file_write(&file, piece, 0, model, 100), FGPU_OK);
    assert_int_equal(spill_file_read(&file, piece, 0, got, 100), FGPU_OK);
    assert_int_equal(spill_file_read(&file, piece, 0, got, 200), FGPU_E_IO);
    assert_int_equal(spill_file_write(&file, piece, 4000, model, 100), FGPU_E_IO);
    assert_int_equal(spill_file_write(&file, piece, 100, model, 7900), FGPU_OK); /* all again */
    assert_int_equal(spill_file_write(&file, piece, 9000, model, 100), FGPU_OK);
    assert_int_equal(spill_file_read(&file, piece, 0, got, 8000), FGPU_OK);
    assert_memory_equal(got, model, 8000);
    spill_file_give(&file, piece);
    spill_file_close(&file);
}

static void test_damaged(void **state)
{
    (void)state;
    file_open(PACK_AUTO);
    struct spill_piece *piece = spill_file_take(&file, PIECE);
    memset(model, 0, sizeof model);
    model[5] = 1;
    assert_int_equal(spill_file_write(&file, piece, 0, model, 100), FGPU_OK);
    assert_int_equal(spill_file_read(&file, piece, 0, got, 101), FGPU_E_IO); /* never written */
    assert_int_equal(spill_file_read(&file, piece, 1, got, 99), FGPU_OK);
    char byte;
    assert_int_equal(pread(file.fd, &byte, 1, 3), 1);
    byte ^= 1;
    assert_int_equal(pwrite(file.fd, &byte, 1, 3), 1);
    assert_int_equal(spill_file_read(&file, piece, 0, got, 100), FGPU_E_IO);
    spill_file_give(&file, piece);
    spill_file_close(&file);
    assert_int_equal(spill_file_open(&file, "/nowhere/at/all", PACK_AUTO), FGPU_E_IO);
    assert_non_null(strstr(error_text(), "/nowhere/at/all"));
}

static _Atomic uint32_t rings;

static void ring(void *arg)
{
    (void)arg;
    (void)atomic_add_seqcst_u32(&rings, 1);
}

static void carry_out(void *queue, uint32_t kind, void *body, uint32_t flags)
{
    fgpu_cmd cmd = {.kind = kind, .flags = flags, .body = body};
    uint64_t last = 0, number = 0;
    assert_int_equal(spill_backend.submit(queue, &cmd, 1, &last), 1);
    while (number < last)
        assert_int_equal(spill_backend.poll(queue, &number), FGPU_OK);
}

static void test_queue(void **state)
{
    (void)state;
    const fgpu_doorbell bell = {ring, NULL};
    struct spill_options options = {.folder = temp_folder_path("")};
    void *device, *queue;
    fgpu_mem mem;
    assert_int_equal(spill_backend.open(&options.backend, 0, &bell, &device), FGPU_OK);
    assert_int_equal(spill_backend.queue_open(device, 1, &queue), FGPU_OK);
    assert_int_equal(spill_backend.mem_alloc(device, PIECE, &mem), FGPU_OK);
    for (uint32_t i = 0; i < PIECE; i++)
        model[i] = (unsigned char)(i / 7);
    fgpu_cmd_copy out = {.src = (uintptr_t)model,
                         .dst = mem,
                         .src_is_host = 1,
                         .src_offset_bytes = 10,
                         .dst_offset_bytes = 70000,
                         .src_pitch_bytes = 1000,
                         .dst_pitch_bytes = 30000,
                         .row_bytes = 900,
                         .rows = 5};
    fgpu_cmd_copy in = {.src = mem,
                        .dst = (uintptr_t)got,
                        .dst_is_host = 1,
                        .src_offset_bytes = 70000,
                        .src_pitch_bytes = 30000,
                        .dst_pitch_bytes = 900,
                        .row_bytes = 900,
                        .rows = 5};
    carry_out(queue, FGPU_CMD_COPY, &out, FGPU_CMD_NOTIFY);
    assert_int_equal(out.result.status, FGPU_OK);
    carry_out(queue, FGPU_CMD_COPY, &in, FGPU_CMD_NOTIFY);
    assert_int_equal(in.result.status, FGPU_OK);
    for (uint32_t row = 0; row < 5; row++)
        assert_memory_equal(got + 900 * row, model + 10 + 1000 * row, 900);
    in.src_offset_bytes = 4 * PACK_CHUNK_BYTES; /* nothing is there */
    in.rows = 1;
    carry_out(queue, FGPU_CMD_COPY, &in, 0);
    assert_int_equal(in.result.status, FGPU_E_IO);
    carry_out(queue, FGPU_CMD_COPY, &out, FGPU_CMD_CHAINED); /* skipped, until the fence */
    assert_int_equal(out.result.status, FGPU_E_CANCELLED);
    fgpu_cmd_result fence;
    carry_out(queue, FGPU_CMD_FENCE, &fence, 0);
    carry_out(queue, FGPU_CMD_COPY, &out, FGPU_CMD_CHAINED);
    assert_int_equal(out.result.status, FGPU_OK);
    assert_true(atomic_load_seqcst_u32(&rings) >= 2);
    struct spill_stats stats;
    spill_get_stats(device, &stats);
    assert_true(stats.chunks >= 3 && stats.stored_bytes > 0);
    spill_backend.queue_close(queue);
    spill_backend.mem_free(device, mem);
    spill_backend.close(device);
}

/* ---- below a pool ------------------------------------------------------------------------- */

static fgpu_status write_bytes(fgpu_buffer buffer, uint64_t begin, uint64_t bytes,
                               unsigned char value)
{
    static unsigned char from[PACK_CHUNK_BYTES / 4];
    const fgpu_region part = fgpu_region_span(begin, bytes);
    memset(from, value, sizeof from);
    return fgpu_buffer_write(buffer, &part, from, 0);
}

/* Of what is to go to a full disk one half is refused and the other, all zero, is not. Whoever
 * needs the room must be told; to drop that half and to try again would go on for ever. */
static void test_refused_in_part(void **state)
{
    (void)state;
    fgpu_pool_options options;
    fgpu_pool pool;
    fgpu_buffer buffers[3];
    fgpu_pool_options_init(&options);
    (void)alarm(30);
    options.devices = "cpu";
    options.cpu_workers = 1;
    options.host_memory_bytes = 2 * PACK_CHUNK_BYTES;
    options.spill_dir = temp_folder_path("");
    options.cache_dir = "";
    options.log_level = FGPU_LOG_OFF;
    assert_int_equal(fgpu_pool_open(&options, &pool), FGPU_OK);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(fgpu_buffer_create(pool, PACK_CHUNK_BYTES, &buffers[i]), FGPU_OK);
    temp_folder_fill_disk(0);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(write_bytes(buffers[i], 0, 9999, 7), FGPU_OK);
        assert_int_equal(write_bytes(buffers[i], PACK_CHUNK_BYTES / 2, 100, 0), FGPU_OK);
    }
    assert_int_equal(write_bytes(buffers[2], 0, 10, 1), FGPU_E_DEVMEM);
    temp_folder_empty_disk();
    unsigned char byte = 0;
    const fgpu_region first = fgpu_region_span(0, 1);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(fgpu_buffer_read(buffers[i], &first, &byte, 0), FGPU_OK);
        assert_int_equal(byte, 7);
    }
    (void)fgpu_pool_close(pool);
    (void)alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pack),
                                       cmocka_unit_test(test_pack_better),
                                       cmocka_unit_test(test_pack_choose),
                                       cmocka_unit_test(test_file),
                                       cmocka_unit_test(test_refused_then_shorter),
                                       cmocka_unit_test(test_lost_is_not_read),
                                       cmocka_unit_test(test_full_disk_keeps),
                                       cmocka_unit_test(test_damaged),
                                       cmocka_unit_test(test_queue),
                                       cmocka_unit_test(test_refused_in_part)};
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
