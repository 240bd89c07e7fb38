#include "x.h"
__kernel void k() {}
