// From the moments of every map to mixed moments, and back: `mixing.py` in one call, for one process.

#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "passes.h"

namespace {

// Where the shares of a statistic stand among the K, -1 where it is not mixed.
struct Mixture {
    int in, ln, bn;
};

// A statistic's share of the mixed mean and of the mixed variance, 0 where it is not mixed.
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

// Write the mixed mean and 1 / sqrt(mixed variance + eps) of every map, the LN and BN moments, and the scale and the
// shift of x - IN mean that `apply` takes. running: BN moments (2, C) to be used, null for those of the batch.
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

// Write the gradients of shares, weight and bias, and the scale of g and the slope and shift of x - IN mean that
// `gradient` takes. sums and products are those of `gradient_sums`; products are multiplied by rstd in place.
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

}  // namespace
