/* Each sample becomes what a table says; tiles as in grey.cl. A work item makes sixteen elements.
 *
 * table: 256 bytes, or where the option in `shape` is 1, 256 for each channel. Every device gives
 * the same bits.
 */
kernel void lookup(global const uchar *src, global uchar *dst, global const uchar *table,
                   int4 from, int4 to, int4 shape)
{
    int i = 16 * (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    int channels = shape.w ? shape.z : 1, channel = e % channels;
    global const uchar *row = src + (size_t)(to.y + j - from.y) * from.z - from.x;
    uchar taken[16];

    for (int n = 0; n < 16; n++) {
        taken[n] = e + n < shape.x ? table[256 * channel + row[e + n]] : 0;
        channel = channel + 1 == channels ? 0 : channel + 1;
    }
    vstore16(vload16(0, taken), 0, dst + ((size_t)j * to.z + i));
}
