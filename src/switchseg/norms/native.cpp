// The fused operator's passes over the input on the CPU, and the few numbers between them. `native.py` calls them.
//
// Maps are (N, C, L), or (N, L, C) where channels_last; per-map numbers are (N, C). T is the type of the maps and S
// that of the statistics. Forward there are two passes, moments and apply, and backward two, gradient_sums and
// gradient; each touches every element once. Rows and chunks of pixels have a fixed size, so that results do not depend
// on the number of threads.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif
#define INLINE inline __attribute__((always_inline))

namespace {

constexpr int64_t kBlock = 2048;     // elements that are summed up in S before the sum is carried on in double
constexpr int64_t kChunk = 32768;    // elements of a chunk of pixels, 128 KiB of float
constexpr int64_t kParallel = 32768; // elements below which threads cost more than they save
constexpr int64_t kStrip = 64;       // channels whose chunks are merged at a time

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

// ---- one contiguous map -------------------------------------------------------------------------------------------

// The sums of first(i) and of second(i) over [start, stop).
template <typename S, typename First, typename Second>
INLINE void total(int64_t start, int64_t stop, First first, Second second, S* firsts, S* seconds) {
    S a = 0, b = 0;
#pragma omp simd reduction(+ : a, b)
    for (int64_t i = start; i < stop; ++i) a += first(i), b += second(i);
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
        const double rest = double(first) / size, shift = origin + rest - center;
        center += shift * size / stop;
        squares += second - rest * first + shift * shift * size * start / stop;
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

// ---- a chunk of pixels, each with all its channels ----------------------------------------------------------------

// Add first(i, c) and second(i, c) of every pixel to those of channel c; i is where a pixel's channel c stands. Four
// pixels at a time, since the sums of all channels do not fit into registers.
template <typename S, typename First, typename Second>
INLINE void add_pixels(int64_t pixels, int64_t channels, First first, Second second, S* firsts, S* seconds) {
    int64_t p = 0;
    for (; p + 4 <= pixels; p += 4) {
        const int64_t a = p * channels, b = a + channels, c = b + channels, d = c + channels;
#pragma omp simd
        for (int64_t i = 0; i < channels; ++i) {
            firsts[i] += (first(a + i, i) + first(b + i, i)) + (first(c + i, i) + first(d + i, i));
            seconds[i] += (second(a + i, i) + second(b + i, i)) + (second(c + i, i) + second(d + i, i));
        }
    }
    for (; p < pixels; ++p) {
#pragma omp simd
        for (int64_t i = 0; i < channels; ++i) {
            firsts[i] += first(p * channels + i, i);
            seconds[i] += second(p * channels + i, i);
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

// ---- all maps -----------------------------------------------------------------------------------------------------

struct Maps {
    int64_t images, channels, length;
    bool channels_last;
    int threads;

    int64_t rows() const { return images * channels; }
    bool parallel() const { return threads > 1 && rows() * length >= kParallel; }
    int64_t pixels() const { return std::clamp(kChunk / channels, int64_t(32), int64_t(512)); }
    int64_t chunks() const { return (length + pixels() - 1) / pixels(); }
    int64_t strips() const { return (channels + kStrip - 1) / kStrip; }
};

// Call run(n, k, offset of the chunk's elements, its pixels) for every chunk k of every image n.
template <typename Run>
void each_chunk(const Maps& maps, Run run) {
    const int64_t chunks = maps.chunks(), pixels = maps.pixels();
#pragma omp parallel for num_threads(maps.threads) if (maps.parallel())
    for (int64_t i = 0; i < maps.images * chunks; ++i) {
        const int64_t n = i / chunks, k = i % chunks, first = k * pixels;
        run(n, k, (n * maps.length + first) * maps.channels, std::min(pixels, maps.length - first));
    }
}

template <typename Run>
void each_row(const Maps& maps, Run run) {
#pragma omp parallel for num_threads(maps.threads) if (maps.parallel())
    for (int64_t row = 0; row < maps.rows(); ++row) run(row, row * maps.length);
}

// Call run(n, first channel, last channel + 1) for every strip of channels of every image.
template <typename Run>
void each_strip(const Maps& maps, Run run) {
    const int64_t strips = maps.strips();
#pragma omp parallel for num_threads(maps.threads) if (maps.parallel())
    for (int64_t i = 0; i < maps.images * strips; ++i) {
        const int64_t first = i % strips * kStrip;
        run(i / strips, first, std::min(first + kStrip, maps.channels));
    }
}

template <typename T, typename S = typename Statistics<T>::type>
void moments(const Maps& maps, const T* x, S* mean, S* var) {
    if (!maps.channels_last) {
        each_row(maps, [=](int64_t row, int64_t at) { moments_of_row(x + at, maps.length, mean + row, var + row); });
        return;
    }
    const int64_t channels = maps.channels, chunks = maps.chunks(), pixels = maps.pixels();
    std::vector<S> room(2 * maps.images * chunks * channels);  // means and sums of squares of every chunk
    S* parts = room.data();
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
    std::vector<S> room(2 * maps.images * chunks * channels);
    S* parts = room.data();
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

// ---- the mixture: `mixing.py` in one call, without the processes that share batch moments ---------------------------

// Where the shares of a statistic stand among the K, -1 where it is not mixed.
struct Mixture {
    int in, ln, bn;
};

// Its share of mixed mean and variance, 0 where it is not mixed.
template <typename S>
struct Share {
    S mean, var;
    Share(const S* shares, int at) : mean(at < 0 ? S(0) : shares[2 * at]), var(at < 0 ? S(0) : shares[2 * at + 1]) {}
};

// Merge the equally large maps of an image: the mean of the means; the mean variance within maps plus that of means.
template <typename S>
INLINE void merge_channels(const S* means, const S* vars, int64_t channels, S* mean, S* var) {
    double sum = 0, within = 0, between = 0;
#pragma omp simd reduction(+ : sum, within)
    for (int64_t c = 0; c < channels; ++c) sum += means[c], within += vars[c];
    const double center = sum / channels;
#pragma omp simd reduction(+ : between)
    for (int64_t c = 0; c < channels; ++c) between += (means[c] - center) * (means[c] - center);
    *mean = S(center);
    *var = S((within + between) / channels);
}

// Merge the maps of every channel likewise.
template <typename S>
INLINE void merge_images(const S* means, const S* vars, int64_t images, int64_t channels, S* mean, S* var) {
    std::vector<double> room(2 * channels, 0.0);
    double *center = room.data(), *spread = center + channels;
    for (int64_t n = 0; n < images; ++n) {
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) center[c] += means[n * channels + c] / double(images);
    }
    for (int64_t n = 0; n < images; ++n) {
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
            const double d = means[n * channels + c] - center[c];
            spread[c] += (vars[n * channels + c] + d * d) / double(images);
        }
    }
    std::copy_n(center, channels, mean);
    std::copy_n(spread, channels, var);
}

template <typename S>
INLINE void mix(const Maps& maps, const Mixture& of, const S* moments, const S* shares, const S* running,
                const S* weight, const S* bias, S eps, S* mean, S* rstd, S* layer, S* batch, S* scale, S* shift) {
    const int64_t images = maps.images, channels = maps.channels, rows = maps.rows();
    const Share<S> in(shares, of.in), ln(shares, of.ln), bn(shares, of.bn);
    const std::vector<S> zeros(channels, S(0)), ones(channels, S(1));
    for (int64_t n = 0; of.ln >= 0 && n < images; ++n)
        merge_channels(moments + n * channels, moments + rows + n * channels, channels, layer + n, layer + images + n);
    if (of.bn >= 0 && running) {
        std::copy_n(running, 2 * channels, batch);
    } else if (of.bn >= 0) {
        merge_images(moments, moments + rows, images, channels, batch, batch + channels);
    }
    const S *batch_mean = of.bn < 0 ? zeros.data() : batch, *batch_var = of.bn < 0 ? zeros.data() : batch + channels;
    const S *by = weight ? weight : ones.data(), *to = bias ? bias : zeros.data();
    for (int64_t n = 0; n < images; ++n) {
        const int64_t row = n * channels;
        const S layer_mean = of.ln < 0 ? S(0) : ln.mean * layer[n];
        const S layer_var = of.ln < 0 ? S(0) : ln.var * layer[images + n];
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
            const S m = in.mean * moments[row + c] + layer_mean + bn.mean * batch_mean[c];
            const S v = in.var * moments[rows + row + c] + layer_var + bn.var * batch_var[c];
            const S r = 1 / std::sqrt(v + eps);
            mean[row + c] = m;
            rstd[row + c] = r;
            scale[row + c] = r * by[c];
            shift[row + c] = (moments[row + c] - m) * r * by[c] + to[c];
        }
    }
}

template <typename S>
INLINE void mix_backward(const Maps& maps, const Mixture& of, bool training, const S* sums, S* products,
                         const S* moments, const S* rstd, const S* layer, const S* batch, const S* shares,
                         const S* weight, S* grad_shares, S* grad_weight, S* grad_bias, S* scale, S* slope, S* shift) {
    const int64_t images = maps.images, channels = maps.channels, rows = maps.rows();
    const Share<S> in(shares, of.in), ln(shares, of.ln), bn(shares, training ? of.bn : -1);
    const std::vector<S> zeros(2 * channels, S(0)), ones(channels, S(1));
    const S *by = weight ? weight : ones.data(), *batches = of.bn < 0 ? zeros.data() : batch;
    // The gradients of mixed mean and variance summed over the images of a channel and the channels of an image.
    std::vector<S> room(2 * channels, S(0));
    std::vector<double> layers(2 * images, 0.0);
    S *of_mean = room.data(), *of_var = of_mean + channels;
    double own[2] = {}, in_layers[2] = {}, in_batches[2] = {};
    std::fill_n(grad_weight, channels, S(0));
    std::fill_n(grad_bias, channels, S(0));
    for (int64_t n = 0; n < images; ++n) {
        const int64_t row = n * channels;
        double own_mean = 0, own_var = 0, layer_mean = 0, layer_var = 0;
#pragma omp simd reduction(+ : own_mean, own_var, layer_mean, layer_var)
        for (int64_t c = 0; c < channels; ++c) {
            const S r = rstd[row + c], product = products[row + c] * r;
            const S m = -r * by[c] * sums[row + c], v = S(-0.5) * r * r * by[c] * product;
            products[row + c] = product;
            scale[row + c] = r * by[c];
            grad_weight[c] += product;
            grad_bias[c] += sums[row + c];
            of_mean[c] += m;
            of_var[c] += v;
            shift[row + c] = m;  // for now: where the gradients of the map's own moments will be
            slope[row + c] = v;
            own_mean += m * moments[row + c];
            own_var += v * moments[rows + row + c];
            layer_mean += m;
            layer_var += v;
        }
        own[0] += own_mean, own[1] += own_var;
        layers[2 * n] = layer_mean, layers[2 * n + 1] = layer_var;
    }
    for (int64_t n = 0; of.ln >= 0 && n < images; ++n)
        for (int part = 0; part < 2; ++part) in_layers[part] += layers[2 * n + part] * layer[part * images + n];
    double batch_mean = 0, batch_var = 0;
#pragma omp simd reduction(+ : batch_mean, batch_var)
    for (int64_t c = 0; c < channels; ++c) {
        batch_mean += of_mean[c] * batches[c];
        batch_var += of_var[c] * batches[channels + c];
    }
    in_batches[0] = batch_mean, in_batches[1] = batch_var;
    for (int part = 0; part < 2; ++part) {
        if (of.in >= 0) grad_shares[2 * of.in + part] = S(own[part]);
        if (of.ln >= 0) grad_shares[2 * of.ln + part] = S(in_layers[part]);
        if (of.bn >= 0) grad_shares[2 * of.bn + part] = S(in_batches[part]);
    }
    const S per_element = S(1) / maps.length, per_spread = maps.length > 1 ? S(2) / (maps.length - 1) : S(0);
    for (int64_t n = 0; n < images; ++n) {
        const int64_t row = n * channels;
        const S center = of.ln < 0 ? S(0) : layer[n];
        const S layer_mean = ln.mean * S(layers[2 * n]) / channels;
        const S layer_var = ln.var * S(layers[2 * n + 1]) / channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
            // A merged variance also holds the spread of the means.
            const S batch_part = bn.var * of_var[c] / images;
            const S m = in.mean * shift[row + c] + layer_mean + bn.mean * of_mean[c] / images +
                        2 * (moments[row + c] - center) * layer_var + 2 * (moments[row + c] - batches[c]) * batch_part;
            const S v = in.var * slope[row + c] + layer_var + batch_part;
            shift[row + c] = m * per_element;
            slope[row + c] = v * per_spread;
        }
    }
}

#define INSTANTIATE_MIXTURE(S)                                                                                         \
    CLONES void mix_moments(const Maps& maps, const Mixture& of, const S* moments, const S* shares, const S* running,  \
                            const S* weight, const S* bias, double eps, S* mean, S* rstd, S* layer, S* batch,          \
                            S* scale, S* shift) {                                                                      \
        mix(maps, of, moments, shares, running, weight, bias, S(eps), mean, rstd, layer, batch, scale, shift);         \
    }                                                                                                                  \
    CLONES void mix_gradients(const Maps& maps, const Mixture& of, bool training, const S* sums, S* products,          \
                              const S* moments, const S* rstd, const S* layer, const S* batch, const S* shares,        \
                              const S* weight, S* grad_shares, S* grad_weight, S* grad_bias, S* scale, S* slope,       \
                              S* shift) {                                                                              \
        mix_backward(maps, of, training, sums, products, moments, rstd, layer, batch, shares, weight, grad_shares,     \
                     grad_weight, grad_bias, scale, slope, shift);                                                     \
    }

INSTANTIATE_MIXTURE(float)
INSTANTIATE_MIXTURE(double)

// Run with the C++ type that the code means: 0 float, 1 double, 2 bfloat16. Returns 1 where memory does not suffice.
template <typename Run>
int with_type(int type, Run run) {
    try {
        if (type == 0) run(float());
        if (type == 1) run(double());
        if (type == 2) run(bfloat16());
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    }
}

template <typename T>
const T* in(const void* pointer) { return static_cast<const T*>(pointer); }
template <typename T>
T* out(void* pointer) { return static_cast<T*>(pointer); }

}  // namespace

#define MAPS int type, int threads, int channels_last, int64_t images, int64_t channels, int64_t length
#define TYPES                               \
    using T = decltype(like);               \
    using S = typename Statistics<T>::type; \
    const Maps maps{images, channels, length, channels_last != 0, threads};

extern "C" {

int switchseg_moments(MAPS, const void* x, void* moments_) {
    return with_type(type, [=](auto like) {
        TYPES
        moments(maps, in<T>(x), out<S>(moments_), out<S>(moments_) + maps.rows());
    });
}

// `coefficients` are scale and shift.
int switchseg_apply(MAPS, const void* x, const void* residual, int relu, const void* moments_,
                    const void* coefficients, void* y) {
    return with_type(type, [=](auto like) {
        TYPES
        const S* scale = in<S>(coefficients);
        apply(maps, in<T>(x), in<T>(residual), relu != 0, in<S>(moments_), scale, scale + maps.rows(), out<T>(y));
    });
}

// `products` are those with x - mean.
int switchseg_gradient_sums(MAPS, const void* grad, const void* rectified, const void* x, const void* mean, void* sums,
                            void* products) {
    return with_type(type, [=](auto like) {
        TYPES
        gradient_sums(maps, in<T>(grad), in<T>(rectified), in<T>(x), in<S>(mean), out<S>(sums), out<S>(products));
    });
}

// `coefficients` are scale, slope and shift.
int switchseg_gradient(MAPS, const void* grad, const void* rectified, const void* x, const void* moments_,
                       const void* coefficients, void* grad_x, void* grad_residual) {
    return with_type(type, [=](auto like) {
        TYPES
        const S* scale = in<S>(coefficients);
        gradient(maps, in<T>(grad), in<T>(rectified), in<T>(x), in<S>(moments_), scale, scale + maps.rows(),
                 scale + 2 * maps.rows(), out<T>(grad_x), out<T>(grad_residual));
    });
}

int switchseg_forward(MAPS, int in_at, int ln_at, int bn_at, const void* x, const void* shares, const void* weight,
                      const void* bias, const void* running, const void* residual, double eps, int relu, void* y,
                      void* moments_, void* mean, void* rstd, void* layer, void* batch) {
    return with_type(type, [=](auto like) {
        TYPES
        S* found = out<S>(moments_);
        std::vector<S> coefficients(2 * maps.rows());
        S *scale = coefficients.data(), *shift = scale + maps.rows();
        moments(maps, in<T>(x), found, found + maps.rows());
        mix_moments(maps, {in_at, ln_at, bn_at}, found, in<S>(shares), in<S>(running), in<S>(weight), in<S>(bias), eps,
                    out<S>(mean), out<S>(rstd), out<S>(layer), out<S>(batch), scale, shift);
        apply(maps, in<T>(x), in<T>(residual), relu != 0, found, scale, shift, out<T>(y));
    });
}

int switchseg_backward(MAPS, int in_at, int ln_at, int bn_at, int training, const void* grad, const void* x,
                       const void* rectified, const void* shares, const void* weight, const void* moments_,
                       const void* mean, const void* rstd, const void* layer, const void* batch, void* grad_x,
                       void* grad_shares, void* grad_weight, void* grad_bias, void* grad_residual) {
    return with_type(type, [=](auto like) {
        TYPES
        std::vector<S> room(5 * maps.rows());
        S *sums = room.data(), *products = sums + maps.rows(), *scale = products + maps.rows();
        S *slope = scale + maps.rows(), *shift = slope + maps.rows();
        gradient_sums(maps, in<T>(grad), in<T>(rectified), in<T>(x), in<S>(mean), sums, products);
        mix_gradients(maps, {in_at, ln_at, bn_at}, training != 0, sums, products, in<S>(moments_), in<S>(rstd),
                      in<S>(layer), in<S>(batch), in<S>(shares), in<S>(weight), out<S>(grad_shares),
                      out<S>(grad_weight), out<S>(grad_bias), scale, slope, shift);
        gradient(maps, in<T>(grad), in<T>(rectified), in<T>(x), in<S>(moments_), scale, slope, shift, out<T>(grad_x),
                 out<T>(grad_residual));
    });
}
}
