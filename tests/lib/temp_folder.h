/* A folder below /tmp for the files of one test program, and a disk that is full. One thread. */
#ifndef FASTGPU_TESTS_LIB_TEMP_FOLDER_H
#define FASTGPU_TESTS_LIB_TEMP_FOLDER_H

#include <stddef.h>

/* For cmocka_run_group_tests(): makes it, and removes it with all the files in it. */
int temp_folder_make(void **state);
int temp_folder_remove(void **state);

/* The path of a file in it; of the folder itself for "". Valid until the next call. */
const char *temp_folder_path(const char *name);

/* How many files are in it. */
unsigned temp_folder_count(void);

/* No file can be written beyond so many bytes until temp_folder_empty_disk(). */
void temp_folder_fill_disk(size_t size_bytes);
void temp_folder_empty_disk(void);

#endif
