// The passes over all maps, compiled for several instruction sets and shared out among threads.

#pragma once

#include <algorithm>
#include <memory>

#include "pixels.h"
#include "rows.h"

namespace {

constexpr int64_t kChunk = 32768;    // elements of a chunk of pixels, 128 KiB of float
constexpr int64_t kParallel = 32768; // elements below which threads cost more than they save
constexpr int64_t kStrip = 64;       // channels whose chunks are merged at a time

// The same functions for each type, each compiled for several instruction sets.
#define INSTANTIATE(T, S)                                                                                              \
    CLONES void moments_of_row(const T* x, int64_t length, S* mean, S* var) { row_moments(x, length, mean, var); }     \
    CLONES void apply_to_row(const T* x, const T* residual, bool relu, int64_t length, S center, S scale, S shift,     \
                             T* y) {                                                                                   \
        row_apply(x, residual, relu, length, center, scale, shift, y);                                                 \
    }                                                                                                                  \
    CLONES void sums_of_row(const T* grad, const T* rectified, const T* x, int64_t length, S mean, S* sum,             \
                            S* product) {                                                                              \
        row_sums(grad, rectified, x, length, mean, sum, product);                                                      \
    }                                                                                                                  \
    CLONES void gradient_of_row(const T* grad, const T* rectified, const T* x, int64_t length, S center, S scale,      \
                                S slope, S shift, T* grad_x, T* grad_residual) {                                       \
        row_gradient(grad, rectified, x, length, center, scale, slope, shift, grad_x, grad_residual);                  \
    }                                                                                                                  \
    CLONES void moments_of_chunk(const T* x, int64_t pixels, int64_t channels, S* mean, S* squares) {                  \
        chunk_moments(x, pixels, channels, mean, squares);                                                             \
    }                                                                                                                  \
    CLONES void apply_to_chunk(const T* x, const T* residual, bool relu, int64_t pixels, int64_t channels,             \
                               const S* center, const S* scale, const S* shift, T* y) {                                \
        chunk_apply(x, residual, relu, pixels, channels, center, scale, shift, y);                                     \
    }                                                                                                                  \
    CLONES void sums_of_chunk(const T* grad, const T* rectified, const T* x, int64_t pixels, int64_t channels,         \
                              const S* mean, S* sum, S* product) {                                                     \
        chunk_sums(grad, rectified, x, pixels, channels, mean, sum, product);                                          \
    }                                                                                                                  \
    CLONES void gradient_of_chunk(const T* grad, const T* rectified, const T* x, int64_t pixels, int64_t channels,     \
                                  const S* center, const S* scale, const S* slope, const S* shift, T* grad_x,          \
                                  T* grad_residual) {                                                                  \
        chunk_gradient(grad, rectified, x, pixels, channels, center, scale, slope, shift, grad_x, grad_residual);      \
    }

INSTANTIATE(float, float)
INSTANTIATE(double, double)
INSTANTIATE(bfloat16, float)

// Memory for numbers that are written before they are read.
template <typename S>
class Room {
    const std::unique_ptr<S[]> numbers;

public:
    explicit Room(int64_t count) : numbers(new S[count]) {}
    S* get() const { return numbers.get(); }
};

struct Maps {
    int64_t images, channels, length;
    bool channels_last;
    int threads;

    int64_t rows() const { return images * channels; }
    bool parallel() const { return threads > 1 && rows() * length >= kParallel; }
    // Of a chunk: as many as fill `kChunk`, but 32 at least and 512 at most.
    int64_t pixels() const { return std::clamp(kChunk / channels, int64_t(32), int64_t(512)); }
    int64_t chunks() const { return (length + pixels() - 1) / pixels(); }
    int64_t strips() const { return (channels + kStrip - 1) / kStrip; }
};

// Call run(i) for every i below `count`, on several threads if that pays.
template <typename Run>
void each(const Maps& maps, int64_t count, Run run) {
    if (!maps.parallel()) {  // without OpenMP, which takes as long to find out that there is one thread as a small map
        for (int64_t i = 0; i < count; ++i) run(i);
        return;
    }
#pragma omp parallel for num_threads(maps.threads)
    for (int64_t i = 0; i < count; ++i) run(i);
}

// Call run(n, k, offset of the chunk's elements, its pixels) for every chunk k of every image n.
template <typename Run>
void each_chunk(const Maps& maps, Run run) {
    const int64_t chunks = maps.chunks(), pixels = maps.pixels();
    each(maps, maps.images * chunks, [=](int64_t i) {
        const int64_t n = i / chunks, k = i % chunks, first = k * pixels;
        run(n, k, (n * maps.length + first) * maps.channels, std::min(pixels, maps.length - first));
    });
}

template <typename Run>
void each_row(const Maps& maps, Run run) {
    each(maps, maps.rows(), [=](int64_t row) { run(row, row * maps.length); });
}

// Call run(n, first channel, last channel + 1) for every strip of channels of every image.
template <typename Run>
void each_strip(const Maps& maps, Run run) {
    const int64_t strips = maps.strips();
    each(maps, maps.images * strips, [=](int64_t i) {
        const int64_t first = i % strips * kStrip;
        run(i / strips, first, std::min(first + kStrip, maps.channels));
    });
}

template <typename T, typename S = typename Statistics<T>::type>
void moments(const Maps& maps, const T* x, S* mean, S* var) {
    if (!maps.channels_last) {
        each_row(maps, [=](int64_t row, int64_t at) { moments_of_row(x + at, maps.length, mean + row, var + row); });
        return;
    }
    const int64_t channels = maps.channels, chunks = maps.chunks(), pixels = maps.pixels();
    const Room<S> room(2 * maps.images * chunks * channels);  // means and sums of squares of every chunk
    S* parts = room.get();
    each_chunk(maps, [=](int64_t n, int64_t k, int64_t at, int64_t count) {
        S* part = parts + 2 * (n * chunks + k) * channels;
        moments_of_chunk(x + at, count, channels, part, part + channels);
    });
    each_strip(maps, [=](int64_t n, int64_t first, int64_t last) {
        double means[kStrip] = {}, squares[kStrip] = {};
        for (int64_t k = 0; k < chunks; ++k) {
            const S* part = parts + 2 * (n * chunks + k) * channels;
            const double before = k * pixels, count = std::min(pixels, maps.length - k * pixels);
            const double share = count / (before + count);
            for (int64_t c = first; c < last; ++c) {
                const double d = part[c] - means[c - first];
                means[c - first] += share * d;
                squares[c - first] += part[channels + c] + before * share * d * d;
            }
        }
        for (int64_t c = first; c < last; ++c) {
            mean[n * channels + c] = S(means[c - first]);
            var[n * channels + c] = unbiased<S>(squares[c - first], maps.length);
        }
    });
}

template <typename T, typename S = typename Statistics<T>::type>
void apply(const Maps& maps, const T* x, const T* residual, bool relu, const S* center, const S* scale, const S* shift,
           T* y) {
    if (!maps.channels_last) {
        each_row(maps, [=](int64_t row, int64_t at) {
            apply_to_row(x + at, residual ? residual + at : nullptr, relu, maps.length, center[row], scale[row],
                         shift[row], y + at);
        });
        return;
    }
    const int64_t channels = maps.channels;
    each_chunk(maps, [=](int64_t n, int64_t, int64_t at, int64_t count) {
        const int64_t row = n * channels;
        apply_to_chunk(x + at, residual ? residual + at : nullptr, relu, count, channels, center + row, scale + row,
                       shift + row, y + at);
    });
}

template <typename T, typename S = typename Statistics<T>::type>
void gradient_sums(const Maps& maps, const T* grad, const T* rectified, const T* x, const S* mean, S* sums,
                   S* products) {
    if (!maps.channels_last) {
        each_row(maps, [=](int64_t row, int64_t at) {
            sums_of_row(grad + at, rectified ? rectified + at : nullptr, x + at, maps.length, mean[row], sums + row,
                        products + row);
        });
        return;
    }
    const int64_t channels = maps.channels, chunks = maps.chunks();
    const Room<S> room(2 * maps.images * chunks * channels);
    S* parts = room.get();
    each_chunk(maps, [=](int64_t n, int64_t k, int64_t at, int64_t count) {
        S* part = parts + 2 * (n * chunks + k) * channels;
        sums_of_chunk(grad + at, rectified ? rectified + at : nullptr, x + at, count, channels, mean + n * channels,
                      part, part + channels);
    });
    each_strip(maps, [=](int64_t n, int64_t first, int64_t last) {
        double totals[2][kStrip] = {};
        for (int64_t k = 0; k < chunks; ++k) {
            const S* part = parts + 2 * (n * chunks + k) * channels;
            for (int64_t c = first; c < last; ++c) {
                totals[0][c - first] += part[c];
                totals[1][c - first] += part[channels + c];
            }
        }
        for (int64_t c = first; c < last; ++c) {
            sums[n * channels + c] = S(totals[0][c - first]);
            products[n * channels + c] = S(totals[1][c - first]);
        }
    });
}

template <typename T, typename S = typename Statistics<T>::type>
void gradient(const Maps& maps, const T* grad, const T* rectified, const T* x, const S* center, const S* scale,
              const S* slope, const S* shift, T* grad_x, T* grad_residual) {
    if (!maps.channels_last) {
        each_row(maps, [=](int64_t row, int64_t at) {
            gradient_of_row(grad + at, rectified ? rectified + at : nullptr, x + at, maps.length, center[row],
                            scale[row], slope[row], shift[row], grad_x + at,
                            grad_residual ? grad_residual + at : nullptr);
        });
        return;
    }
    const int64_t channels = maps.channels;
    each_chunk(maps, [=](int64_t n, int64_t, int64_t at, int64_t count) {
        const int64_t row = n * channels;
        gradient_of_chunk(grad + at, rectified ? rectified + at : nullptr, x + at, count, channels, center + row,
                          scale + row, slope + row, shift + row, grad_x + at,
                          grad_residual ? grad_residual + at : nullptr);
    });
}

}  // namespace
