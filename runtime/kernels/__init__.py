"""CUDA kernels: preprocessing, and the peaks and scores of PAF decoding; how they are compiled and launched."""
