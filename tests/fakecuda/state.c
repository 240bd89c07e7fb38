/* Settings of the fake libraries, and their doors for tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fakecuda/fake.h"

_Atomic long fake_settings[FAKE_SETTING_COUNT] = {
#define STATE_VALUE(name, value) value,
    FAKE_SETTINGS(STATE_VALUE)
#undef STATE_VALUE
};

static const struct {
    const char *name;
    long usual;
} state_names[FAKE_SETTING_COUNT] = {
#define STATE_NAME(name, value) {#name, value},
    FAKE_SETTINGS(STATE_NAME)
#undef STATE_NAME
};

static _Atomic long *state_find(const char *name)
{
    for (int i = 0; i < FAKE_SETTING_COUNT; i++)
        if (strcmp(state_names[i].name, name) == 0)
            return &fake_settings[i];
    abort(); /* a test with a name that does not exist */
}

FAKE(void, fakecuda_set, (const char *name, long value))
{
    atomic_store(state_find(name), value);
}

FAKE(long, fakecuda_get, (const char *name))
{
    return atomic_load(state_find(name));
}

/* What the environment says, for commands: FAKECUDA_SET="init_error=100,devices=1". */
__attribute__((constructor)) static void state_begin(void)
{
    const char *text = getenv("FAKECUDA_SET");
    char name[32];
    long value = 0;
    int used = 0;

    for (; text != NULL && sscanf(text, "%31[a-z_0-9]=%ld%n", name, &value, &used) == 2;
         text += text[used] == ',' ? used + 1 : used)
        atomic_store(state_find(name), value);
}

/* All as it was at first. */
FAKE(void, fakecuda_reset, (void))
{
    for (int i = 0; i < FAKE_SETTING_COUNT; i++)
        atomic_store(&fake_settings[i], state_names[i].usual);
}
