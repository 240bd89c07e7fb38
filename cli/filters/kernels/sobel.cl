/* Sobel: the length of the gradient, sqrt(gx gx + gy gy), rounded to nearest and limited to 255,
 * for each channel by itself; tiles as in grey.cl. A work item makes sixteen elements.
 *
 * The square root is taken bit by bit in integers: every device gives the same bits. Beyond the
 * border the nearest sample counts. The source tile reaches one pixel further than the destination
 * tile on each side, or to the border.
 */

/* The sixteen samples that are `step` elements right of elements e to e + 15 (left where negative);
 * beyond the border the nearest of the same channel. `row` points at column first. */
int16 samples(global const uchar *row, int first, int e, int step, int4 shape)
{
    int begin = e + step;
    uchar taken[16];

    if (begin >= 0 && begin + 16 <= shape.x)
        return convert_int16(vload16(0, row + (begin - first)));
    for (int n = 0; n < 16; n++) {
        int channel = (e + n) % shape.z;
        taken[n] = row[clamp(begin + n, channel, shape.x - shape.z + channel) - first];
    }
    return convert_int16(vload16(0, taken));
}

kernel void sobel(global const uchar *src, global uchar *dst, int4 from, int4 to, int4 shape)
{
    const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int i = 16 * (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    int y = to.y + j;
    int height = shape.y, channels = shape.z;
    global const uchar *above = src + (size_t)(max(y - 1, 0) - from.y) * from.z;
    global const uchar *here = src + (size_t)(y - from.y) * from.z;
    global const uchar *below = src + (size_t)(min(y + 1, height - 1) - from.y) * from.z;
    int16 root = (int16)(0);

    if (e < shape.x) {
        int16 above_left = samples(above, from.x, e, -channels, shape);
        int16 above_right = samples(above, from.x, e, channels, shape);
        int16 below_left = samples(below, from.x, e, -channels, shape);
        int16 below_right = samples(below, from.x, e, channels, shape);
        int16 gx = (above_right - above_left) + (below_right - below_left) +
                   2 * (samples(here, from.x, e, channels, shape) -
                        samples(here, from.x, e, -channels, shape));
        int16 gy = (below_left - above_left) + (below_right - above_right) +
                   2 * (samples(below, from.x, e, 0, shape) - samples(above, from.x, e, 0, shape));
        int16 square = min(gx * gx + gy * gy, (int16)(255 * 255));
        for (int bit = 128; bit > 0; bit >>= 1) {
            int16 tried = root | bit;
            root = select(root, tried, tried * tried <= square);
        }
        /* (root + 1/2)^2 = root^2 + root + 1/4: beyond it the next integer is nearer. */
        root = select(root, root + 1, square - root * root > root);
        root = select((int16)(0), root, lanes < (int16)(shape.x - e));
    }
    vstore16(convert_uchar16(root), 0, dst + ((size_t)j * to.z + i));
}
