// What a whole layer does around the operator: the softmax of its logits and the running statistics.

#pragma once

#include <algorithm>
#include <cmath>

#include "mixture.h"

namespace {

// What the forward call leaves for the backward one, in one piece of memory: 4 N C + 2 N + 2 C + 6 numbers.
template <typename S>
struct Kept {
    S *moments, *mean, *rstd, *layer, *batch, *shares;
    Kept(S* memory, const Maps& maps)
        : moments(memory),
          mean(moments + 2 * maps.rows()),
          rstd(mean + maps.rows()),
          layer(rstd + maps.rows()),
          batch(layer + 2 * maps.images),
          shares(batch + 2 * maps.channels) {}
};

// How many statistics are mixed, K.
inline int statistics_of(const Mixture& of) { return (of.in >= 0) + (of.ln >= 0) + (of.bn >= 0); }

// Write into every second number, since shares are (K, 2).
template <typename S>
void softmax(const S* logits, int count, S* shares) {
    const S top = *std::max_element(logits, logits + count);
    S total = 0;
    for (int k = 0; k < count; ++k) total += shares[2 * k] = std::exp(logits[k] - top);
    for (int k = 0; k < count; ++k) shares[2 * k] /= total;
}

template <typename S>
void softmax_gradient(const S* grad, const S* shares, int count, S* grad_logits) {
    S along = 0;
    for (int k = 0; k < count; ++k) along += grad[2 * k] * shares[2 * k];
    for (int k = 0; k < count; ++k) grad_logits[k] = shares[2 * k] * (grad[2 * k] - along);
}

// From the logits of the mean's and of the variance's shares, or a copy of the shares (K, 2) where there is but one.
template <typename S>
void shares(const S* mean_mix, const S* var_mix, int count, S* shares) {
    if (!var_mix) {
        std::copy_n(mean_mix, 2 * count, shares);
        return;
    }
    softmax(mean_mix, count, shares);
    softmax(var_mix, count, shares + 1);
}

template <typename S>
void shares_gradient(const S* grad, const S* shares, int count, S* grad_mean_mix, S* grad_var_mix) {
    if (!grad_var_mix) {
        std::copy_n(grad, 2 * count, grad_mean_mix);
        return;
    }
    softmax_gradient(grad, shares, count, grad_mean_mix);
    softmax_gradient(grad + 1, shares + 1, count, grad_var_mix);
}

// Exact where the batch replaces what was there.
template <typename S>
S between(S from, S to, S share) {
    return share < S(0.5) ? from + share * (to - from) : to - (to - from) * (1 - share);
}

// The first 1 / momentum batches are averaged evenly, all of them where it is 0.
template <typename S>
void track(const S* batch, int64_t channels, double momentum, int64_t* seen, S* mean, S* var) {
    const S share = std::max(S(1) / S(++*seen), S(momentum));
    for (int64_t c = 0; c < channels; ++c) {
        mean[c] = between(mean[c], batch[c], share);
        var[c] = between(var[c], batch[channels + c], share);
    }
}

}  // namespace
