/* A CUDA driver without a device, for tests: it loads anything, launches nothing, and writes down what it was asked.

A kernel's parameters have no sizes in a launch, so that the test must tell them beforehand. */

#include <stdint.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_CONTEXT = 201, PARAMETERS = 64, FUNCTIONS = 256, LAUNCHES = 256 };

typedef struct {
    char name[64];
    uint32_t grid[3], block[3], shared, parameters;
    uint64_t stream, context;
    uint8_t values[PARAMETERS][8];
} Launch;

typedef struct {
    char name[64];
    uint64_t context;
    int parameters;
    uint8_t sizes[PARAMETERS];
} Function;

typedef struct {
    unsigned grid[3], block[3], shared;
    void *stream, *attributes;
    unsigned attribute_count;
} Config;

static Function functions[FUNCTIONS];
static Launch launches[LAUNCHES];
static int function_count, launch_count, next_error, context_error;
static __thread uint64_t current;

/* For the test. */
void stub_tell_sizes(Function *function, int parameters, const uint8_t *sizes) {
    function->parameters = parameters;
    memcpy(function->sizes, sizes, parameters);
}
int stub_launches(void) { return launch_count; }
const Launch *stub_launch(int index) { return &launches[index]; }
int stub_sizeof_launch(void) { return sizeof(Launch); }
void stub_forget(void) { launch_count = 0; }
void stub_fail_next(int error) { next_error = error; }
void stub_fail_to_tell_the_context(int error) { context_error = error; }

static int record(const Function *function, const unsigned *grid, const unsigned *block, unsigned shared, void *stream,
                  void **parameters) {
    if (next_error) {
        int error = next_error;
        next_error = 0;
        return error;
    }
    if (current != function->context) return INVALID_CONTEXT;
    Launch *launch = &launches[launch_count++ % LAUNCHES];
    memset(launch, 0, sizeof *launch);
    strcpy(launch->name, function->name);
    memcpy(launch->grid, grid, sizeof launch->grid);
    memcpy(launch->block, block, sizeof launch->block);
    launch->shared = shared;
    launch->stream = (uint64_t)stream;
    launch->context = current;
    launch->parameters = function->parameters;
    for (int i = 0; i < function->parameters; i++) memcpy(launch->values[i], parameters[i], function->sizes[i]);
    return SUCCESS;
}

int cuLaunchKernel(Function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **parameters, void **extra) {
    unsigned grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
    return extra ? 1 : record(function, grid, block, shared, stream, parameters);
}
int cuLaunchKernelEx(const Config *config, Function *function, void **parameters, void **extra) {
    if (extra || config->attribute_count) return 1;
    return record(function, config->grid, config->block, config->shared, config->stream, parameters);
}
int cuModuleGetFunction(Function **function, void *module, const char *name) {
    *function = &functions[function_count++ % FUNCTIONS];
    strncpy((*function)->name, name, 63);
    (*function)->context = current;
    return SUCCESS;
}

/* Contexts: one for each device, at first none is current. */
int cuCtxGetCurrent(void **context) {
    if (!context_error) *context = (void *)current;
    return context_error;
}
int cuCtxSetCurrent(void *context) { return current = (uint64_t)context, SUCCESS; }
int cuDevicePrimaryCtxRetain(void **context, int device) { return *context = (void *)(256L + device), SUCCESS; }
int cuCtxGetDevice(int *device) { return *device = (int)current - 256, SUCCESS; }
int cuDeviceGet(int *device, int index) { return *device = index, SUCCESS; }
int cuDeviceGetCount(int *count) { return *count = 2, SUCCESS; }

/* What Triton asks besides, as a Hopper would answer. */
int cuInit(unsigned flags) { return SUCCESS; }
int cuGetErrorString(int error, const char **text) { return *text = "an error of the stub", SUCCESS; }
int cuDriverGetVersion(int *version) { return *version = 13000, SUCCESS; }
int cuModuleLoadData(void **module, const void *image) { return *module = (void *)2, SUCCESS; }
int cuModuleUnload(void *module) { return SUCCESS; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 97 ? 232448 /* opt-in shared memory */ : attribute == 75 ? 9 /* capability */ : 0;
    return SUCCESS;
}
int cuFuncGetAttribute(int *value, int attribute, void *function) {
    *value = attribute == 0 ? 1024 /* threads */ : 0;
    return SUCCESS;
}
int cuFuncSetAttribute(void *function, int attribute, int value) { return SUCCESS; }
int cuFuncSetCacheConfig(void *function, int config) { return SUCCESS; }
int cuPointerGetAttribute(void *value, int attribute, uint64_t pointer) {
    return memcpy(value, &pointer, sizeof pointer), SUCCESS;
}
int cuCtxSetLimit(int limit, size_t value) { return SUCCESS; }
int cuCtxGetLimit(size_t *value, int limit) { return *value = 0, SUCCESS; }
int cuOccupancyMaxActiveClusters(int *clusters, void *function, const void *config) { return *clusters = 1, SUCCESS; }
int cuTensorMapEncodeTiled(void) { return 1; }
int cuTensorMapEncodeIm2col(void) { return 1; }
