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

// What every call begins with.
struct Input {
    int64_t threads, type, channels_last, images, channels, length;
    Maps maps() const { return {images, channels, length, channels_last != 0, int(threads)}; }
};

struct MixtureOf {
    int64_t in, ln, bn;
    Mixture mixture() const { return {int(in), int(ln), int(bn)}; }
};

// The arguments as `native.py` packs them, 64 bits each: numbers first, then tensors, null for None.
struct Moments {
    Input input;
    const void* x;
    void* moments;
};

struct Apply {
    Input input;
    int64_t relu;
    const void *x, *residual, *moments, *coefficients;  // scale and shift
    void* y;
};

struct GradientSums {
    Input input;
    const void *grad, *rectified, *x, *mean;
    void *sums, *products;  // with x - mean
};

struct Gradient {
    Input input;
    const void *grad, *rectified, *x, *moments, *coefficients;  // scale, slope and shift
    void *grad_x, *grad_residual;
};

// var_mix is null where mean_mix holds shares instead of logits, and batches where running statistics stay as they are.
struct Forward {
    Input input;
    MixtureOf of;
    int64_t training, relu;
    double momentum, eps;
    const void *x, *residual, *mean_mix, *var_mix, *weight, *bias;
    void *running_mean, *running_var, *batches, *y, *kept;
};

struct Backward {
    Input input;
    MixtureOf of;
    int64_t training;
    const void *grad, *x, *rectified, *weight;
    void *kept, *grad_x, *grad_residual, *grad_mean_mix, *grad_var_mix, *grad_weight, *grad_bias;
};

static_assert(sizeof(void*) == sizeof(int64_t) && sizeof(double) == sizeof(int64_t), "packed as 64 bits each");

namespace {

// Run with the C++ type that the code means: 0 float, 1 double, 2 bfloat16. Returns 1 where memory does not suffice.
template <typename Run>
int with_type(const Input& input, Run run) {
    try {
        if (input.type == 0) run(float());
        if (input.type == 1) run(double());
        if (input.type == 2) run(bfloat16());
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

#define TYPES                               \
    using T = decltype(like);               \
    using S = typename Statistics<T>::type; \
    const Maps maps = a->input.maps();

extern "C" {

// To be raised, in `native.py` too, when arguments change: a library may be older than the package that finds it.
int switchseg_interface() { return 6; }

#define SIZE_OF(name, type) \
    int switchseg_sizeof_##name() { return sizeof(type); }
SIZE_OF(moments, Moments)
SIZE_OF(apply, Apply)
SIZE_OF(gradient_sums, GradientSums)
SIZE_OF(gradient, Gradient)
SIZE_OF(forward, Forward)
SIZE_OF(backward, Backward)

int switchseg_moments(const Moments* a) {
    return with_type(a->input, [=](auto like) {
        TYPES
        moments(maps, in<T>(a->x), out<S>(a->moments), out<S>(a->moments) + maps.rows());
    });
}

int switchseg_apply(const Apply* a) {
    return with_type(a->input, [=](auto like) {
        TYPES
        const S* scale = in<S>(a->coefficients);
        apply(maps, in<T>(a->x), in<T>(a->residual), a->relu != 0, in<S>(a->moments), scale, scale + maps.rows(),
              out<T>(a->y));
    });
}

int switchseg_gradient_sums(const GradientSums* a) {
    return with_type(a->input, [=](auto like) {
        TYPES
        gradient_sums(maps, in<T>(a->grad), in<T>(a->rectified), in<T>(a->x), in<S>(a->mean), out<S>(a->sums),
                      out<S>(a->products));
    });
}

int switchseg_gradient(const Gradient* a) {
    return with_type(a->input, [=](auto like) {
        TYPES
        const S* scale = in<S>(a->coefficients);
        gradient(maps, in<T>(a->grad), in<T>(a->rectified), in<T>(a->x), in<S>(a->moments), scale, scale + maps.rows(),
                 scale + 2 * maps.rows(), out<T>(a->grad_x), out<T>(a->grad_residual));
    });
}

int switchseg_forward(const Forward* a) {
    return with_type(a->input, [=](auto like) {
        TYPES
        const Mixture of = a->of.mixture();
        const Kept<S> kept(out<S>(a->kept), maps);
        const Room<S> coefficients(2 * maps.rows());
        S *scale = coefficients.get(), *shift = scale + maps.rows();
        shares(in<S>(a->mean_mix), in<S>(a->var_mix), statistics_of(of), kept.shares);
        const bool given = of.bn >= 0 && !a->training;
        if (given) {
            std::copy_n(in<S>(a->running_mean), maps.channels, kept.batch);
            std::copy_n(in<S>(a->running_var), maps.channels, kept.batch + maps.channels);
        }
        moments(maps, in<T>(a->x), kept.moments, kept.moments + maps.rows());
        mix_moments(maps, of, kept.moments, kept.shares, given ? kept.batch : nullptr, in<S>(a->weight), in<S>(a->bias),
                    a->eps, kept.mean, kept.rstd, kept.layer, kept.batch, scale, shift);
        apply(maps, in<T>(a->x), in<T>(a->residual), a->relu != 0, kept.moments, scale, shift, out<T>(a->y));
        if (a->batches)
            track(kept.batch, maps.channels, a->momentum, out<int64_t>(a->batches), out<S>(a->running_mean),
                  out<S>(a->running_var));
    });
}

int switchseg_backward(const Backward* a) {
    return with_type(a->input, [=](auto like) {
        TYPES
        const Mixture of = a->of.mixture();
        const Kept<S> kept(out<S>(a->kept), maps);
        const Room<S> room(5 * maps.rows() + maps.channels);
        S *sums = room.get(), *products = sums + maps.rows(), *scale = products + maps.rows();
        S *slope = scale + maps.rows(), *shift = slope + maps.rows(), *nowhere = shift + maps.rows(), grad_shares[6];
        gradient_sums(maps, in<T>(a->grad), in<T>(a->rectified), in<T>(a->x), kept.mean, sums, products);
        mix_gradients(maps, of, a->training != 0, sums, products, kept.moments, kept.rstd, kept.layer, kept.batch,
                      kept.shares, in<S>(a->weight), grad_shares, a->grad_weight ? out<S>(a->grad_weight) : nowhere,
                      a->grad_bias ? out<S>(a->grad_bias) : nowhere, scale, slope, shift);
        shares_gradient(grad_shares, kept.shares, statistics_of(of), out<S>(a->grad_mean_mix),
                        out<S>(a->grad_var_mix));
        gradient(maps, in<T>(a->grad), in<T>(a->rectified), in<T>(a->x), kept.moments, scale, slope, shift,
                 out<T>(a->grad_x), out<T>(a->grad_residual));
    });
}
}
