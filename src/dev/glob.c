/* Glob matching: see glob.h. One remembered '*' is enough: a later star takes over from an earlier
 * one, for whatever the earlier could still give up, the later can too.
 */
#include "dev/glob.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static bool glob_same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

bool glob_match(const char *pattern, const char *text)
{
    const char *star = NULL; /* behind the last '*' seen */
    const char *resume = text;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (*pattern == '?' || (*pattern != '\0' && glob_same(*pattern, *text))) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool glob_is_pattern(const char *text)
{
    return strpbrk(text, "*?") != NULL;
}
