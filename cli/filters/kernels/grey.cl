/* Grey: Y = (77 R + 150 G + 29 B + 128) / 256, cut; the weights of ITU-R BT.601 in 1/256.
 *
 * How all filters here see a picture: rows of interleaved samples ("elements"), a pitch (in
 * elements) from row to row. A launch makes one tile, one work item one element, or sixteen
 * neighbours where the kernel says so:
 *   from   column and row of the picture at which src points, pitch of src, elements in its rows
 *   to     column and row at which dst points (the tile's corner), pitch of dst, rows of src
 *   shape  elements in a row of dst, rows of the picture, channels of src, and one option
 * Columns count elements. What is beyond the end of a row is padding and becomes zero, so that
 * every byte of the tile is written. All arithmetic here is in integers: every device gives the
 * same bits. src has 1, 3 or 4 channels, dst one. A work item makes sixteen elements.
 */

/* The samples of sixteen pixels of three channels, by channel. */
struct colours {
    uchar16 red, green, blue;
};

struct colours take_apart(global const uchar *at)
{
    uchar16 a = vload16(0, at), b = vload16(1, at), c = vload16(2, at);
    struct colours taken = {
        (uchar16)(a.s0369, a.scf, b.s258b, b.se, c.s147a, c.sd),
        (uchar16)(a.s147a, a.sd, b.s0369, b.scf, c.s258b, c.se),
        (uchar16)(a.s258b, a.se, b.s147a, b.sd, c.s0369, c.scf),
    };

    return taken;
}

uchar one_grey(global const uchar *pixel, int channels)
{
    if (channels == 1)
        return pixel[0];
    return (uchar)((77 * pixel[0] + 150 * pixel[1] + 29 * pixel[2] + 128) >> 8);
}

kernel void grey(global const uchar *src, global uchar *dst, int4 from, int4 to, int4 shape)
{
    int i = 16 * (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int x = to.x + i;
    int channels = shape.z;
    global const uchar *row = src + (size_t)(to.y + j - from.y) * from.z - from.x;
    uchar16 value;

    if (channels == 3 && x + 16 <= shape.x) {
        struct colours pixels = take_apart(row + 3 * x);
        ushort16 sum = (ushort)77 * convert_ushort16(pixels.red) +
                       (ushort)150 * convert_ushort16(pixels.green) +
                       (ushort)29 * convert_ushort16(pixels.blue) + (ushort)128;
        value = convert_uchar16(sum >> (ushort)8);
    } else {
        uchar taken[16];
        for (int n = 0; n < 16; n++)
            taken[n] = x + n < shape.x ? one_grey(row + (x + n) * channels, channels) : 0;
        value = vload16(0, taken);
    }
    vstore16(value, 0, dst + ((size_t)j * to.z + i));
}
