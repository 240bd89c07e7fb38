#define f(x) x + g
#define g(x) f(x)
#define a a b
#define b a
int x = f(1)(2)(3) a b;
#define E E2 E2
#define E2 E3 E3
#define E3 E4 E4
#define E4 1
int y = E;
