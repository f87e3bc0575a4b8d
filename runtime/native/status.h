/* What every function of the wholebody native library returns, and how it is exported. */
#ifndef WHOLEBODY_STATUS_H
#define WHOLEBODY_STATUS_H

#define WB_OK 0
#define WB_BAD_ARGUMENT 1
#define WB_OUT_OF_MEMORY 2
#define WB_INTERNAL 3

#if defined(__GNUC__)
#define WB_API __attribute__((visibility("default")))
#else
#define WB_API
#endif

#endif
