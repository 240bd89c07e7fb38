// Comments, continued lines and digraphs in odd places.
// expect: odd a=READ b=READ_WRITE:writes_only
// expect: after a=READ_WRITE
/**/__kernel/* kernel void fake(global int *x) {} */void
/* // */ odd /*
 * kernel void fake2(global int *y) { }
 */ (
    __global /* const */ const int * /**/ a, // b[i] = a[i]
    __global in\
t *b) // a[0] = 1; \
a[0] = 2; this line is part of the comment
{
    /* "not a string */ int i = get_global_id/**/(0); /* " */
    b<:i:> = a[i]; // ??
    const char c = '"', d = '\'', e = '/'; /* ' */
    b[i] = c == d || d == e ? 0 : 1;
%>
#define EMPTY
#define LONG(x) \
    x[get_global_id(0)] \
        -= 1
EMPTY kernel EMPTY void EMPTY after EMPTY (EMPTY global EMPTY int * EMPTY a EMPTY)
EMPTY { EMPTY LONG(a) EMPTY; EMPTY }
