/* Hashes against published values; the map itself is in tests/prop/test_map.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/map.h"
#include "base/rng.h"

/* Widely published values of XXH64, and the four of the reference implementation's own check: a
 * buffer made by its generator, lengths 1, 4, 14 and 222. */
static void test_xxh64_published(void **unused)
{
    static const struct {
        size_t size;
        uint64_t plain, seeded;
    } want[] = {
        {0, UINT64_C(0xef46db3751d8e999), UINT64_C(0xac75fda2929b17ef)},
        {1, UINT64_C(0xe934a84adb052768), UINT64_C(0x5014607643a9b4c3)},
        {4, UINT64_C(0x9136a0dca57457ee), UINT64_C(0xcaab286bd8e9fdb5)},
        {14, UINT64_C(0x8282dcc4994e35c8), UINT64_C(0xc3bd6bf63deb6df0)},
        {222, UINT64_C(0xb641ae8cb691c174), UINT64_C(0x20cb8ab7ae10c14a)},
    };
    unsigned char buffer[222];
    uint64_t generator = UINT64_C(2654435761);
    (void)unused;
    for (size_t i = 0; i < sizeof buffer; i++) {
        buffer[i] = (unsigned char)(generator >> 56);
        generator *= UINT64_C(11400714785074694797);
    }
    assert_true(hash_bytes("a", 1, 0) == UINT64_C(0xd24ec4f1a98c6e5b));
    assert_true(hash_bytes("abc", 3, 0) == UINT64_C(0x44bc2cf5ad770999));
    assert_true(hash_bytes(NULL, 0, 0) == UINT64_C(0xef46db3751d8e999));
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_true(hash_bytes(buffer, want[i].size, 0) == want[i].plain);
        assert_true(hash_bytes(buffer, want[i].size, 2654435761u) == want[i].seeded);
    }
}

static void test_alignment_does_not_matter(void **unused)
{
    char bytes[208];
    (void)unused;
    for (size_t shift = 0; shift < 8; shift++) {
        for (size_t i = 0; i < 200; i++)
            bytes[shift + i] = (char)(i * 31);
        char aligned[200];
        memcpy(aligned, bytes + shift, 200);
        for (size_t size = 0; size <= 200; size++)
            assert_true(hash_bytes(bytes + shift, size, 5) == hash_bytes(aligned, size, 5));
    }
}

static void test_hash128_halves_differ(void **unused)
{
    struct hash128 a = hash128("kernel", 6, 0), b = hash128("kernel", 6, 0);
    struct hash128 c = hash128("kernel", 6, 1), d = hash128("kerneL", 6, 0);
    (void)unused;
    assert_true(a.low == b.low && a.high == b.high);
    assert_true(a.low == hash_bytes("kernel", 6, 0));
    assert_true(a.low != a.high);
    assert_true(a.low != c.low && a.high != c.high);
    assert_true(a.low != d.low && a.high != d.high);
}

/* Flipping one bit of the input flips each output bit with probability 1/2. Over 64 * 200 trials a
 * bit's share has a deviation of 0.0044; 6 of them allowed. */
static void test_hash_u64_avalanches(void **unused)
{
    int flips[64] = {0};
    struct rng rng;
    (void)unused;
    rng_init(&rng, 11);
    for (int i = 0; i < 200; i++) {
        uint64_t x = rng_u64(&rng);
        for (int bit = 0; bit < 64; bit++) {
            uint64_t changed = hash_u64(x) ^ hash_u64(x ^ UINT64_C(1) << bit);
            for (int out = 0; out < 64; out++)
                flips[out] += (int)(changed >> out & 1);
        }
    }
    for (int out = 0; out < 64; out++) {
        double share = flips[out] / (64.0 * 200);
        assert_true(share > 0.5 - 6 * 0.0044 && share < 0.5 + 6 * 0.0044);
    }
}

static void test_many_keys(void **unused)
{
    enum { N = 100000 };
    struct map map;
    uint64_t value;
    (void)unused;
    map_init(&map, NULL);
    for (uint64_t i = 0; i < N; i++)
        assert_int_equal(map_put(&map, i << 20, i), FGPU_OK);
    assert_int_equal(map.count, N);
    for (uint64_t i = 0; i < N; i += 2)
        assert_true(map_del(&map, i << 20));
    for (uint64_t i = 0; i < N; i++) {
        assert_int_equal(map_get(&map, i << 20, &value), i % 2);
        assert_true(i % 2 == 0 || value == i);
    }
    map_fini(&map);
    map_fini(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xxh64_published),
        cmocka_unit_test(test_alignment_does_not_matter),
        cmocka_unit_test(test_hash128_halves_differ),
        cmocka_unit_test(test_hash_u64_avalanches),
        cmocka_unit_test(test_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
