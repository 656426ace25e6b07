#pragma once
// Loops over floats that the compiler makes vectors of.

/// Stands before a plain function (no template, no lambda's body): it is compiled for SSE2, AVX2 and AVX-512,
/// and the loader takes what the processor has. All forms give the same bits, as long as the order of a sum
/// does not depend on the width.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SR_VECTORISED [[gnu::target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")]]
#else
#define SR_VECTORISED
#endif
