// The types of maps and of statistics, and what each element goes through.

#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif
#define INLINE inline __attribute__((always_inline))

namespace {

struct bfloat16 {
    uint16_t bits;
};

template <typename T>
struct Statistics {
    using type = T;
};
template <>
struct Statistics<bfloat16> {
    using type = float;
};

INLINE float load(float value) { return value; }
INLINE double load(double value) { return value; }
INLINE float load(bfloat16 value) {
    uint32_t bits = uint32_t(value.bits) << 16;
    float result;
    std::memcpy(&result, &bits, sizeof result);
    return result;
}

INLINE void store(float value, float* to) { *to = value; }
INLINE void store(double value, double* to) { *to = value; }
INLINE void store(float value, bfloat16* to) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;  // to nearest, ties to even
    to->bits = uint16_t(value != value ? 0x7fc0 : rounded);
}

// What a ReLU lets through; like torch's it keeps NaN.
template <typename S>
INLINE S rectify(S value) { return value < 0 ? S(0) : value; }
template <typename S>
INLINE S pass_gradient(S gradient, S rectified) { return rectified <= 0 ? S(0) : gradient; }

// The variance of `length` numbers from their sum of squares around the mean, which rounding may have made negative.
template <typename S>
INLINE S unbiased(double squares, int64_t length) {
    return squares <= 0 || length < 2 ? S(0) : S(squares / (length - 1));
}

}  // namespace
