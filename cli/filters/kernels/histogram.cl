/* Histograms, and the table that equalises one.
 *
 * histogram counts the samples of a band of rows, for each channel by itself: dst[256 c + v] is how
 * many samples of channel c have the value v. from, to and shape are as in grey.cl for a band that
 * begins at column 0 (shape.y: rows of the band). One group of 16 work items a channel, and each
 * item has its own table in local memory, so that no two count in the same place.
 */
kernel void histogram(global const uchar *src, global uint *dst, int4 from, int4 to, int4 shape)
{
    local uint counts[16 * 256];
    int item = (int)get_local_id(0);
    int channel = (int)get_global_id(1);
    int channels = shape.z, pixels = shape.x / channels;
    local uint *mine = counts + 256 * item;

    for (int v = 0; v < 256; v++)
        mine[v] = 0;
    for (int y = 0; y < shape.y; y++) {
        global const uchar *row = src + (size_t)y * from.z + channel;
        for (int x = item; x < pixels; x += 16)
            mine[row[x * channels]]++;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int v = 16 * item; v < 16 * item + 16; v++) {
        uint sum = 0;
        for (int k = 0; k < 16; k++)
            sum += counts[256 * k + v];
        dst[256 * channel + v] = sum;
    }
}

/* The table for lookup.cl that makes all values equally frequent, as far as that is possible, from
 * the histograms of the bands of a picture: with F(v) the number of samples <= v, F0 the smallest
 * that is not 0, and n = F(255), table[v] = 255 (F(v) - F0) / (n - F0), rounded half up (Gonzalez
 * and Woods, Digital Image Processing, 3.3.1, stretched so that the darkest value becomes 0).
 * Where all samples have one value, each value stays what it is.
 *
 * src has shape.y histograms of shape.z channels, one behind the other, and dst a table for each
 * channel. One group of 256 items a channel.
 */
kernel void equalise_table(global const uint *src, global uchar *dst, int4 from, int4 to,
                           int4 shape)
{
    local uint sums[256];
    local uint first; /* F0 */
    int v = (int)get_local_id(0);
    int channel = (int)get_global_id(1);
    uint count = 0;

    for (int k = 0; k < shape.y; k++)
        count += src[((size_t)k * shape.z + channel) * 256 + v];
    sums[v] = count;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (v == 0) {
        uint sum = 0;
        first = 0;
        for (int k = 0; k < 256; k++) {
            sum += sums[k];
            sums[k] = sum;
            first = first == 0 ? sum : first;
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    ulong above = sums[v] > first ? sums[v] - first : 0, range = sums[255] - first;
    dst[256 * channel + v] =
        (uchar)(range == 0 ? (ulong)v : (above * 510 + range) / (2 * range));
}
