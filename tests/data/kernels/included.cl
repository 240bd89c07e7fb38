// A header that is not there to be read.
// expect: uses_header a=UNKNOWN b=UNKNOWN
// class: uses_header never DOUBT
// nobuild
#include "constants.h"
kernel void uses_header(global const float *a, global float *b)
{
    b[get_global_id(0)] = a[get_global_id(0)] * SCALE;
}
