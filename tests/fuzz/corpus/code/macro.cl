#define CAT_(a,b) a##b
#define CAT(a,b) CAT_(a,b)
#define STR(x) #x
#define V(f, ...) printf(f, ## __VA_ARGS__)
#define K(T) kernel void CAT(k_,T)(global T *p) { p[0] = (T)__LINE__; V("x"); V(STR(a "b"), 1); }
K(int) K(float)
#undef K
