/* Cutting between characters: see text_cut.h. */
#include "cli/common/text_cut.h"

#include <stdio.h>
#include <string.h>

/* How many bytes a character has that begins so; 1 where none does. */
static size_t text_cut_length(unsigned char first)
{
    if (first < 0xc2 || first > 0xf4)
        return 1;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

char *text_cut_list(char *room, size_t bytes, const char *format, va_list values)
{
    int length = vsnprintf(room, bytes, format, values);

    if (length < 0 || bytes == 0) {
        if (bytes > 0)
            room[0] = '\0';
        return room;
    }
    if ((size_t)length < bytes)
        return room;
    size_t end = bytes - 1, begin = end;
    while (begin > 0 && end - begin < 4) { /* the last byte that begins a character */
        begin--;
        if (((unsigned char)room[begin] & 0xc0) != 0x80)
            break;
    }
    if (end - begin < text_cut_length((unsigned char)room[begin]))
        room[begin] = '\0';
    return room;
}

char *text_cut(char *room, size_t bytes, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)text_cut_list(room, bytes, format, values);
    va_end(values);
    return room;
}
