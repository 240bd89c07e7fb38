/* The 3 x 3 x 3 convolution: each output channel sums a 3 x 3 window over all three input channels,
 * 27 float weights; tiles as in grey.cl, pictures of three channels. A work item makes sixteen
 * elements.
 *
 * weights[output][input][dy][dx]: 81 floats, not mirrored. For a sample: sum = 0; then, with input
 * outermost and dx innermost, sum = sum + weight * sample, each operation rounded to float; then
 * limited to 0..255 (not a number becomes 0), plus one half, cut. The order is fixed, contraction
 * is off: every device that honours the pragma gives the same bits. Where the weights are multiples
 * of 1/256 and the sum of their magnitudes is at most 256, all sums are exact and the bits are the
 * same anywhere. Beyond the border the nearest sample counts. The source tile reaches one pixel
 * further than the destination tile on each side, or to the border.
 */
#pragma OPENCL FP_CONTRACT OFF

/* Sixteen neighbours in a row, elements e to e + 15, and which output channel each is. */
struct sixteen {
    int e;
    char16 is_green, is_blue;
    int16 weighs_green, weighs_blue; /* the same, as wide as floats */
};

/* What they need of one input channel: of each one's pixel, moved by `step` pixels, the sample of
 * channel `input`; beyond the border the nearest pixel. An element of output channel c has it
 * input - c elements away, so three neighbouring loads hold all of them. */
float16 samples(struct sixteen at, global const uchar *row, int input, int step, int4 shape)
{
    int begin = at.e + 3 * step + input;
    uchar taken[16];

    if (begin - 2 >= 0 && begin + 16 <= shape.x) {
        uchar16 value = vload16(0, row + begin);
        value = select(value, vload16(0, row + begin - 1), at.is_green);
        return convert_float16(select(value, vload16(0, row + begin - 2), at.is_blue));
    }
    for (int n = 0; n < 16; n++)
        taken[n] = row[3 * clamp((at.e + n) / 3 + step, 0, shape.x / 3 - 1) + input];
    return convert_float16(vload16(0, taken));
}

/* One weight of each one's output channel; that of the first channel is given. */
float16 weigh(struct sixteen at, global const float *weight)
{
    float16 mine = select((float16)(weight[0]), (float16)(weight[27]), at.weighs_green);

    return select(mine, (float16)(weight[54]), at.weighs_blue);
}

kernel void conv3x3x3(global const uchar *src, global uchar *dst, global const float *weights,
                      int4 from, int4 to, int4 shape)
{
    const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int i = 16 * (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    int y = to.y + j;
    int height = shape.y;
    int16 output = (lanes + e) % 3;
    struct sixteen at = {e, convert_char16(output == 1), convert_char16(output == 2), output == 1,
                         output == 2};
    float16 sum = (float16)(0.0f);

    for (int input = 0; input < 3 && e < shape.x; input++)
        for (int k = -1; k <= 1; k++, weights += 3) {
            global const uchar *row =
                src + (size_t)(clamp(y + k, 0, height - 1) - from.y) * from.z - from.x;
            sum = sum + weigh(at, weights) * samples(at, row, input, -1, shape);
            sum = sum + weigh(at, weights + 1) * samples(at, row, input, 0, shape);
            sum = sum + weigh(at, weights + 2) * samples(at, row, input, 1, shape);
        }
    sum = select((float16)(0.0f), sum, sum > 0.0f);
    sum = select((float16)(255.0f), sum, sum < 255.0f);
    int16 value = select((int16)(0), convert_int16(sum + 0.5f), lanes < (int16)(shape.x - e));
    vstore16(convert_uchar16(value), 0, dst + ((size_t)j * to.z + i));
}
