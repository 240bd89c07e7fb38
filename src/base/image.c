/* Which build a function belongs to; see image.h. */
#include "base/image.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include "base/map.h"

struct image_search {
    uintptr_t code;
    uint64_t id;
};

static bool image_has(const struct dl_phdr_info *info, uintptr_t code)
{
    for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t begin = (uintptr_t)info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && code >= begin && code - begin < part->p_memsz)
            return true;
    }
    return false;
}

/* Rounded up as notes are; 0 for what cannot be. */
static size_t image_padded(uint32_t bytes, size_t left)
{
    size_t padded = ((size_t)bytes + 3) & ~(size_t)3;
    return padded <= left ? padded : SIZE_MAX;
}

static uint64_t image_in_notes(const unsigned char *at, size_t left)
{
    ElfW(Nhdr) note;
    while (left >= sizeof note) {
        memcpy(&note, at, sizeof note);
        at += sizeof note;
        left -= sizeof note;
        size_t name = image_padded(note.n_namesz, left);
        size_t text = name != SIZE_MAX ? image_padded(note.n_descsz, left - name) : SIZE_MAX;
        if (text == SIZE_MAX)
            return 0;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
            memcmp(at, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0)
            return hash_bytes(at + name, note.n_descsz, 0);
        at += name + text;
        left -= name + text;
    }
    return 0;
}

static int image_look(struct dl_phdr_info *info, size_t bytes, void *user)
{
    struct image_search *search = user;
    (void)bytes;
    if (!image_has(info, search->code))
        return 0;
    for (ElfW(Half) i = 0; i < info->dlpi_phnum && search->id == 0; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_NOTE) /* addresses of the loaded file are numbers */
            search->id = image_in_notes(
                (const unsigned char *)(uintptr_t)(info->dlpi_addr + part->p_vaddr), // NOLINT
                part->p_memsz);
    }
    return 1;
}

uint64_t image_id(uintptr_t code)
{
    struct image_search search = {code, 0};
    (void)dl_iterate_phdr(image_look, &search);
    return search.id;
}
