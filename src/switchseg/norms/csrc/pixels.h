// The same passes over a chunk of pixels, each with all its channels.

#pragma once

#include <algorithm>

#include "types.h"

namespace {

// Add first(i, c) and second(i, c) of every pixel to those of channel c; i is where a pixel's channel c stands. Four
// pixels at a time, since the sums of all channels do not fit into registers, and one from each quarter of the chunk:
// within a page the processor reads ahead along one stream only.
template <typename S, typename First, typename Second>
INLINE void add_pixels(int64_t pixels, int64_t channels, First first, Second second, S* firsts, S* seconds) {
    const int64_t quarter = pixels / 4 * channels;
    for (int64_t a = 0; a < quarter; a += channels) {
        const int64_t b = a + quarter, c = b + quarter, d = c + quarter;
#pragma omp simd
        for (int64_t i = 0; i < channels; ++i) {
            firsts[i] += (first(a + i, i) + first(b + i, i)) + (first(c + i, i) + first(d + i, i));
            seconds[i] += (second(a + i, i) + second(b + i, i)) + (second(c + i, i) + second(d + i, i));
        }
    }
    for (int64_t a = 4 * quarter; a < pixels * channels; a += channels) {
#pragma omp simd
        for (int64_t i = 0; i < channels; ++i) {
            firsts[i] += first(a + i, i);
            seconds[i] += second(a + i, i);
        }
    }
}

// Around the middle pixel, as in `row_moments`.
template <typename T, typename S>
INLINE void chunk_moments(const T* x, int64_t pixels, int64_t channels, S* mean, S* squares) {
    std::fill_n(mean, channels, S(0));
    std::fill_n(squares, channels, S(0));
    const T* origin = x + pixels / 2 * channels;
    const auto deviation = [=](int64_t i, int64_t c) { return load(x[i]) - load(origin[c]); };
    const auto square = [=](int64_t i, int64_t c) { return deviation(i, c) * deviation(i, c); };
    add_pixels(pixels, channels, deviation, square, mean, squares);
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
        squares[c] -= mean[c] * mean[c] / pixels;
        mean[c] = load(origin[c]) + mean[c] / pixels;
    }
}

template <typename T, typename S>
INLINE void chunk_apply(const T* x, const T* residual, bool relu, int64_t pixels, int64_t channels, const S* center,
                        const S* scale, const S* shift, T* y) {
    for (int64_t p = 0; p < pixels; ++p) {
        const int64_t at = p * channels;
#define PIXEL(EXPRESSION)                                                    \
    _Pragma("omp simd") for (int64_t c = 0; c < channels; ++c) {             \
        const S v = (load(x[at + c]) - center[c]) * scale[c] + shift[c];     \
        store(EXPRESSION, y + at + c);                                       \
    }
        if (residual && relu) {
            PIXEL(rectify(v + load(residual[at + c])))
        } else if (residual) {
            PIXEL(v + load(residual[at + c]))
        } else if (relu) {
            PIXEL(rectify(v))
        } else {
            PIXEL(v)
        }
#undef PIXEL
    }
}

template <typename T, typename S>
INLINE void chunk_sums(const T* grad, const T* rectified, const T* x, int64_t pixels, int64_t channels, const S* mean,
                       S* sum, S* product) {
    std::fill_n(sum, channels, S(0));
    std::fill_n(product, channels, S(0));
    const auto add_up = [=](auto g) {
        const auto times = [=](int64_t i, int64_t c) { return g(i, c) * (load(x[i]) - mean[c]); };
        add_pixels(pixels, channels, g, times, sum, product);
    };
    if (rectified)
        add_up([=](int64_t i, int64_t) { return pass_gradient(load(grad[i]), load(rectified[i])); });
    else
        add_up([=](int64_t i, int64_t) { return load(grad[i]); });
}

template <typename T, typename S>
INLINE void chunk_gradient(const T* grad, const T* rectified, const T* x, int64_t pixels, int64_t channels,
                           const S* center, const S* scale, const S* slope, const S* shift, T* grad_x,
                           T* grad_residual) {
    for (int64_t p = 0; p < pixels; ++p) {
        const int64_t at = p * channels;
        if (rectified) {
#pragma omp simd
            for (int64_t c = 0; c < channels; ++c) {
                const S g = pass_gradient(load(grad[at + c]), load(rectified[at + c]));
                store(g * scale[c] + (load(x[at + c]) - center[c]) * slope[c] + shift[c], grad_x + at + c);
                if (grad_residual) store(g, grad_residual + at + c);
            }
        } else {
#pragma omp simd
            for (int64_t c = 0; c < channels; ++c)
                store(load(grad[at + c]) * scale[c] + (load(x[at + c]) - center[c]) * slope[c] + shift[c],
                      grad_x + at + c);
        }
    }
}

}  // namespace
