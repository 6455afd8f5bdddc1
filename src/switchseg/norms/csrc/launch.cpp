// Launching kernels that Triton has compiled, several in one call: what its own launcher does for each of them on the
// host costs more than a small map on the device. `launcher.py` fills the structs; the driver is found at run time.

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>

constexpr int LIMIT = 64;  // parameters of a kernel
constexpr int MISALIGNED = -1;
constexpr uint64_t ALIGNMENT = 16;  // of pointers, which Triton has compiled in

struct Kernel {
    void* function;
    uint32_t grid[3], threads, shared, parameters;
    int32_t slots[LIMIT];    // which address of the call a parameter is, or -1 for a value known before
    uint64_t values[LIMIT];  // little endian, shorter ones in the lower bytes
};

struct Sequence {
    void* context;
    int64_t addresses, kernels;
    const Kernel* kernel;
};

// As packed for every call. Fixed arrays end where `Sequence` says.
struct Call {
    const Sequence* sequence;
    void* stream;
    uint64_t addresses[];
};

static_assert(sizeof(void*) == sizeof(uint64_t), "packed as 64 bits each");

namespace {

// The driver's functions, 0 for success. No versioned names among them, so that any driver has them.
int (*cuLaunchKernel)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
int (*cuCtxGetCurrent)(void**);
int (*cuCtxSetCurrent)(void*);
int (*cuDeviceGet)(int*, int);
int (*cuDevicePrimaryCtxRetain)(void**, int);

template <typename Function>
bool find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
}

int launch(const Kernel& kernel, const Call& call) {
    void* parameters[LIMIT];
    for (uint32_t i = 0; i < kernel.parameters; i++) {
        const int32_t slot = kernel.slots[i];
        parameters[i] = const_cast<uint64_t*>(slot < 0 ? &kernel.values[i] : &call.addresses[slot]);
    }
    return cuLaunchKernel(kernel.function, kernel.grid[0], kernel.grid[1], kernel.grid[2], kernel.threads, 1, 1,
                          kernel.shared, call.stream, parameters, nullptr);
}

}  // namespace

extern "C" {

// To be raised, in `launcher.py` too, when arguments change: a library may be older than the package that finds it.
int switchseg_interface() { return 1; }
int switchseg_sizeof_kernel() { return sizeof(Kernel); }
int switchseg_sizeof_sequence() { return sizeof(Sequence); }
int switchseg_sizeof_call() { return sizeof(Call); }

// Find the driver; returns whether it is there.
int switchseg_find_driver() {
    void* library = dlopen("libcuda.so.1", RTLD_LAZY);
    return library && find(library, "cuLaunchKernel", cuLaunchKernel) &&
           find(library, "cuCtxGetCurrent", cuCtxGetCurrent) && find(library, "cuCtxSetCurrent", cuCtxSetCurrent) &&
           find(library, "cuDeviceGet", cuDeviceGet) &&
           find(library, "cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain);
}

// Write the context in which torch and Triton work on a device. It is never released: torch holds it as long.
int switchseg_context(int index, void** context) {
    int device;
    const int error = cuDeviceGet(&device, index);
    return error ? error : cuDevicePrimaryCtxRetain(context, device);
}

// Launch all kernels in order. Returns the driver's error, or MISALIGNED with none of them launched.
int switchseg_launch(const Call* call) {
    const Sequence& sequence = *call->sequence;
    uint64_t bits = 0;
    for (int64_t i = 0; i < sequence.addresses; i++) bits |= call->addresses[i];
    if (bits % ALIGNMENT) return MISALIGNED;
    void* current;  // null in a thread of autograd that has not yet called the runtime
    int error = cuCtxGetCurrent(&current);
    if (error) return error;
    const bool elsewhere = current != sequence.context;
    if (elsewhere) error = cuCtxSetCurrent(sequence.context);
    for (int64_t i = 0; i < sequence.kernels && !error; i++) error = launch(sequence.kernel[i], *call);
    if (elsewhere) cuCtxSetCurrent(current);
    return error;
}
}
