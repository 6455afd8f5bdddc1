// The passes over one contiguous map.

#pragma once

#include <algorithm>

#include "types.h"

namespace {

constexpr int64_t kBlock = 2048; // elements that are summed up in S before the sum is carried on in double
constexpr int64_t kShort = 16;   // elements below which adding up the lanes of a vector costs more than it saves

// The sums of first(i) and of second(i) over [start, stop).
template <typename S, typename First, typename Second>
INLINE void total(int64_t start, int64_t stop, First first, Second second, S* firsts, S* seconds) {
    S a = 0, b = 0;
    if (stop - start < kShort) {
        for (int64_t i = start; i < stop; ++i) a += first(i), b += second(i);
    } else {
#pragma omp simd reduction(+ : a, b)
        for (int64_t i = start; i < stop; ++i) a += first(i), b += second(i);
    }
    *firsts = a;
    *seconds = b;
}

// Around a value of each block's own: so the sum of squares is at most kBlock times what is left of it, even where that
// value is the only one far off. The middle one, since borders are padded. Blocks are merged by Chan's formula.
template <typename T, typename S>
INLINE void row_moments(const T* x, int64_t length, S* mean, S* var) {
    double center = 0, squares = 0;
    for (int64_t start = 0; start < length; start += kBlock) {
        const int64_t stop = std::min(start + kBlock, length), size = stop - start;
        const S origin = load(x[start + size / 2]);
        const auto deviation = [=](int64_t i) { return load(x[i]) - origin; };
        S first, second;
        total(start, stop, deviation, [=](int64_t i) { return deviation(i) * deviation(i); }, &first, &second);
        const double rest = double(first) / size, shift = origin + rest - center, share = double(size) / stop;
        center += shift * share;
        squares += second - rest * first + shift * shift * share * start;
    }
    *mean = S(center);
    *var = unbiased<S>(squares, length);
}

template <typename T, typename S>
INLINE void row_apply(const T* x, const T* residual, bool relu, int64_t length, S center, S scale, S shift, T* y) {
#define ROW(EXPRESSION)                                        \
    _Pragma("omp simd") for (int64_t i = 0; i < length; ++i) { \
        const S v = (load(x[i]) - center) * scale + shift;     \
        store(EXPRESSION, y + i);                              \
    }
    if (residual && relu) {
        ROW(rectify(v + load(residual[i])))
    } else if (residual) {
        ROW(v + load(residual[i]))
    } else if (relu) {
        ROW(rectify(v))
    } else {
        ROW(v)
    }
#undef ROW
}

template <typename T, typename S>
INLINE void row_sums(const T* grad, const T* rectified, const T* x, int64_t length, S mean, S* sum, S* product) {
    double sums = 0, products = 0;
    const auto add_up = [&](auto g) {
        for (int64_t start = 0; start < length; start += kBlock) {
            S first, second;
            total(start, std::min(start + kBlock, length), g, [=](int64_t i) { return g(i) * (load(x[i]) - mean); },
                  &first, &second);
            sums += first;
            products += second;
        }
    };
    if (rectified)
        add_up([=](int64_t i) { return pass_gradient(load(grad[i]), load(rectified[i])); });
    else
        add_up([=](int64_t i) { return load(grad[i]); });
    *sum = S(sums);
    *product = S(products);
}

template <typename T, typename S>
INLINE void row_gradient(const T* grad, const T* rectified, const T* x, int64_t length, S center, S scale, S slope,
                         S shift, T* grad_x, T* grad_residual) {
    if (rectified) {
#pragma omp simd
        for (int64_t i = 0; i < length; ++i) {
            const S g = pass_gradient(load(grad[i]), load(rectified[i]));
            store(g * scale + (load(x[i]) - center) * slope + shift, grad_x + i);
            if (grad_residual) store(g, grad_residual + i);
        }
    } else {
#pragma omp simd
        for (int64_t i = 0; i < length; ++i)
            store(load(grad[i]) * scale + (load(x[i]) - center) * slope + shift, grad_x + i);
    }
}

}  // namespace
