// All kernels as one module.
#include "paf_peaks.cu"
#include "paf_scores.cu"
#include "paf_pack.cu"
#include "preprocess.cu"
