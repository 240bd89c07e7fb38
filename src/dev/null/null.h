/* The smallest legal device: takes every command and does nothing. Copy this folder to start a new
 * one.
 */
#ifndef FASTGPU_DEV_NULL_NULL_H
#define FASTGPU_DEV_NULL_NULL_H

#include <fastgpu/backend.h>

extern const fgpu_backend null_backend;

#endif
