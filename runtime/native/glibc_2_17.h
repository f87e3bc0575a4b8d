// For builds on a newer system than the boards': asks for those functions of the C library that every aarch64 system has.
// glibc 2.29 gave these a second version, which differs in how it sets errno; JetPack 4 has glibc 2.27.
#if defined(__aarch64__) && defined(__linux__)
__asm__(".symver exp,exp@GLIBC_2.17");
__asm__(".symver log,log@GLIBC_2.17");
__asm__(".symver pow,pow@GLIBC_2.17");
#endif
