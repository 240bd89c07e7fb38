#include <x.h>
#include "y
#error it's
#if 0
it's "
#include <z.h>
#endif
kernel void k(global int *a) { FOO(a) }
