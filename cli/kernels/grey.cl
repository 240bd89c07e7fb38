/* Grey: Y = (77 R + 150 G + 29 B + 128) / 256, cut; the weights of ITU-R BT.601 in 1/256.
 *
 * How all filters here see a picture: rows of interleaved samples ("elements"), a pitch (in
 * elements) from row to row. A launch makes one tile, one work item one element, or sixteen
 * neighbours where the kernel says so:
 *   from   column and row of the picture at which src points, pitch of src
 *   to     column and row at which dst points (the tile's corner), pitch of dst
 *   shape  elements in a row of dst, rows of the picture, channels of src, and one option
 * Columns count elements. What is beyond the end of a row is padding and becomes zero, so that
 * every byte of the tile is written. All arithmetic here is in integers: every device gives the
 * same bits. src has 1, 3 or 4 channels, dst one.
 */
kernel void grey(global const uchar *src, global uchar *dst, int4 from, int4 to, int4 shape)
{
    int i = (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int x = to.x + i;
    int channels = shape.z;
    size_t at = (size_t)j * to.z + i;

    if (x >= shape.x) {
        dst[at] = 0;
        return;
    }
    global const uchar *pixel =
        src + (size_t)(to.y + j - from.y) * from.z + (x * channels - from.x);
    if (channels == 1)
        dst[at] = pixel[0];
    else
        dst[at] = (uchar)((77 * pixel[0] + 150 * pixel[1] + 29 * pixel[2] + 128) >> 8);
}
