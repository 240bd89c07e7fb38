/* c */ // c \
continued
%: define X <: :> <% %> 
inti\
 nt = 0x1p-3f + 1e+5 + .5f + 1.0E-3 + 077ul + '\'' + 'a';
"str\"ing" "x"
@ ` €Ã© $ \ 
??( ??/
#
# 
##
#define
#if
#endif
