// The fused operator's passes over the input on the CPU, and the few numbers between them. `native.py` calls them.
//
// Maps are (N, C, L), or (N, L, C) where channels_last; per-map numbers are (N, C). T is the type of the maps and S
// that of the statistics. Forward there are two passes, moments and apply, and backward two, gradient_sums and
// gradient; each touches every element once. Rows and chunks of pixels have a fixed size, so that results do not depend
// on the number of threads.

#include <new>

#include "layer.h"
#include "mixture.h"
#include "passes.h"

namespace {

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

// To be raised, in `native.py` too, when arguments change: a library may be older than the package that finds it.
int switchseg_interface() { return 3; }

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
        const Room<S> coefficients(2 * maps.rows());
        S *scale = coefficients.get(), *shift = scale + maps.rows();
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
        const Room<S> room(5 * maps.rows());
        S *sums = room.get(), *products = sums + maps.rows(), *scale = products + maps.rows();
        S *slope = scale + maps.rows(), *shift = slope + maps.rows();
        gradient_sums(maps, in<T>(grad), in<T>(rectified), in<T>(x), in<S>(mean), sums, products);
        mix_gradients(maps, {in_at, ln_at, bn_at}, training != 0, sums, products, in<S>(moments_), in<S>(rstd),
                      in<S>(layer), in<S>(batch), in<S>(shares), in<S>(weight), out<S>(grad_shares),
                      out<S>(grad_weight), out<S>(grad_bias), scale, slope, shift);
        gradient(maps, in<T>(grad), in<T>(rectified), in<T>(x), in<S>(moments_), scale, slope, shift, out<T>(grad_x),
                 out<T>(grad_residual));
    });
}

// The layer with its softmax and, in training, its running statistics; in evaluation those are what "bn" stands for.
int switchseg_layer(MAPS, int in_at, int ln_at, int bn_at, int training, const void* x, const void* mean_logits,
                    const void* var_logits, const void* weight, const void* bias, void* running_mean,
                    void* running_var, void* seen, double momentum, const void* residual, double eps, int relu, void* y,
                    void* kept_) {
    return with_type(type, [=](auto like) {
        TYPES
        const Mixture of{in_at, ln_at, bn_at};
        const Kept<S> kept(out<S>(kept_), maps);
        const Room<S> coefficients(2 * maps.rows());
        S *scale = coefficients.get(), *shift = scale + maps.rows();
        softmax(in<S>(mean_logits), statistics_of(of), kept.shares);
        softmax(in<S>(var_logits), statistics_of(of), kept.shares + 1);
        const bool given = of.bn >= 0 && !training;
        if (given) {
            std::copy_n(in<S>(running_mean), channels, kept.batch);
            std::copy_n(in<S>(running_var), channels, kept.batch + channels);
        }
        moments(maps, in<T>(x), kept.moments, kept.moments + maps.rows());
        mix_moments(maps, of, kept.moments, kept.shares, given ? kept.batch : nullptr, in<S>(weight), in<S>(bias), eps,
                    kept.mean, kept.rstd, kept.layer, kept.batch, scale, shift);
        apply(maps, in<T>(x), in<T>(residual), relu != 0, kept.moments, scale, shift, out<T>(y));
        if (of.bn >= 0 && training)
            track(kept.batch, channels, momentum, out<int64_t>(seen), out<S>(running_mean), out<S>(running_var));
    });
}

int switchseg_layer_backward(MAPS, int in_at, int ln_at, int bn_at, int training, const void* grad, const void* x,
                             const void* rectified, const void* weight, const void* kept_, void* grad_x,
                             void* grad_mean_logits, void* grad_var_logits, void* grad_weight, void* grad_bias,
                             void* grad_residual) {
    return with_type(type, [=](auto like) {
        TYPES
        const Mixture of{in_at, ln_at, bn_at};
        const Kept<S> kept(const_cast<S*>(in<S>(kept_)), maps);
        const int count = statistics_of(of);
        const Room<S> room(5 * maps.rows() + channels);
        S *sums = room.get(), *products = sums + maps.rows(), *scale = products + maps.rows();
        S *slope = scale + maps.rows(), *shift = slope + maps.rows(), *nowhere = shift + maps.rows(), grad_shares[6];
        gradient_sums(maps, in<T>(grad), in<T>(rectified), in<T>(x), kept.mean, sums, products);
        mix_gradients(maps, of, training != 0, sums, products, kept.moments, kept.rstd, kept.layer, kept.batch,
                      kept.shares, in<S>(weight), grad_shares, grad_weight ? out<S>(grad_weight) : nowhere,
                      grad_bias ? out<S>(grad_bias) : nowhere, scale, slope, shift);
        softmax_gradient(grad_shares, kept.shares, count, out<S>(grad_mean_logits));
        softmax_gradient(grad_shares + 1, kept.shares + 1, count, out<S>(grad_var_logits));
        gradient(maps, in<T>(grad), in<T>(rectified), in<T>(x), kept.moments, scale, slope, shift, out<T>(grad_x),
                 out<T>(grad_residual));
    });
}
}
