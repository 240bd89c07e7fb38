/* Symbol visibility and the version of the interface. */
#ifndef FASTGPU_EXPORT_H
#define FASTGPU_EXPORT_H

#define FGPU_VERSION_MAJOR 0
#define FGPU_VERSION_MINOR 1
#define FGPU_VERSION_PATCH 0
#define FGPU_VERSION_STRING "0.1.0"

#if defined(__GNUC__)
#define FGPU_API __attribute__((visibility("default")))
#else
#define FGPU_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the library that is linked, as major * 10000 + minor * 100 + patch.
 * Thread: any. Does not block. */
FGPU_API unsigned fgpu_version(void);

/* The same as text, for example "0.1.0". Static, never NULL. */
FGPU_API const char *fgpu_version_text(void);

#ifdef __cplusplus
}
#endif

#endif
