"""The native library: C++ sources, how they are built in place, and how they are loaded."""
