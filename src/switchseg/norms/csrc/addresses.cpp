// Where the tensors of a call lie, and whether they are as compiled code needs them, read from the Python objects in
// one call: their methods cost a layer more than a small map does. torch tells other libraries by DLPack's exchange
// API. `addresses.py` fills the structs. Of Python this needs a few functions of its stable ABI, and no headers.

#include <cstddef>
#include <cstdint>

extern "C" {
void* PyTuple_GetItem(void* tuple, ptrdiff_t index);
void* PyBytes_FromStringAndSize(const char* bytes, ptrdiff_t size);
void* PyObject_Type(void* object);
void Py_IncRef(void* object);
void Py_DecRef(void* object);
void PyErr_Clear();
}

namespace {

constexpr int LIMIT = 16;  // tensors of a call

// `DLTensor` and `DLPackExchangeAPI` of DLPack 1.
struct Tensor {
    char* data;
    int32_t device_type, device_index, dims;
    uint8_t code, bits;
    uint16_t lanes;
    const int64_t *shape, *strides;
    uint64_t offset;
};

struct Exchange {
    uint32_t major, minor;
    const void *previous, *allocate, *from_object, *to_object;
    int (*describe)(void* object, Tensor* tensor);
    const void* current_stream;
};

struct Form {
    int64_t dtype;  // code, bits and lanes of DLPack, 8, 8 and 16 bits from the lowest on
    int64_t elements;  // which lie in a row; -1 for what is shaped and laid out like the maps, 0 for what is None
};

struct Forms {
    int64_t keeps_places;  // whether what is None leaves a null pointer in its place
    int64_t tensors, dims;
    const int64_t *shape, *strides;  // of the maps
    const Form* form;
};

int (*describe)(void*, Tensor*);
const void *none, *tensor_type, *parameter_type;

bool is_plain(void* object) {
    void* type = PyObject_Type(object);
    Py_DecRef(type);  // the object holds it
    return type == tensor_type || type == parameter_type;
}

bool lies_in_a_row(const Tensor& tensor, int64_t elements) {
    int64_t step = 1;
    for (int i = tensor.dims - 1; i >= 0; i--) {
        if (tensor.shape[i] == 1) continue;
        if (tensor.strides[i] != step) return false;
        step *= tensor.shape[i];
    }
    return step == elements;
}

bool lies_like_maps(const Tensor& tensor, const Forms& forms) {
    if (tensor.dims != forms.dims) return false;
    for (int i = 0; i < tensor.dims; i++) {
        if (tensor.shape[i] != forms.shape[i]) return false;
        if (tensor.shape[i] != 1 && tensor.strides[i] != forms.strides[i]) return false;
    }
    return true;
}

// Read where a tensor lies; null if it is of another form, or has no memory.
char* address_of(void* object, const Form& form, const Forms& forms, Tensor& tensor) {
    if (describe(object, &tensor)) {
        PyErr_Clear();
        return nullptr;
    }
    const int64_t dtype = tensor.code | tensor.bits << 8 | tensor.lanes << 16;
    if (dtype != form.dtype) return nullptr;
    const bool fits = form.elements < 0 ? lies_like_maps(tensor, forms) : lies_in_a_row(tensor, form.elements);
    return fits && tensor.data ? tensor.data + tensor.offset : nullptr;
}

}  // namespace

extern "C" {

// To be raised, in `addresses.py` too, when arguments change: a library may be older than the package that finds it.
int switchseg_interface() { return 1; }
int switchseg_sizeof_form() { return sizeof(Form); }
int switchseg_sizeof_forms() { return sizeof(Forms); }

// Tell the exchange API, and the objects None, Tensor and Parameter; returns whether the API is one that is known.
int switchseg_connect(const Exchange* exchange, const void* nothing, const void* tensor, const void* parameter) {
    describe = exchange->describe;
    none = nothing, tensor_type = tensor, parameter_type = parameter;
    return exchange->major == 1 && describe;
}

// Return the addresses of a tuple of tensors as bytes, or None if they are not of these forms or lie on several devices;
// if `exact`, neither may one be of a subclass, which may keep its numbers elsewhere. The caller holds the interpreter.
void* switchseg_read(const Forms* forms, int exact, void* tuple) {
    const char* addresses[LIMIT];
    int64_t found = 0;
    Tensor first, tensor;
    for (int64_t i = 0; i < forms->tensors; i++) {
        const Form& form = forms->form[i];
        void* object = PyTuple_GetItem(tuple, i);
        const char* address = nullptr;
        bool fits = object == none;
        if (form.elements) {
            Tensor& into = i ? tensor : first;
            address = !fits && (!exact || is_plain(object)) ? address_of(object, form, *forms, into) : nullptr;
            fits = address && into.device_type == first.device_type && into.device_index == first.device_index;
        }
        if (!fits) {
            Py_IncRef(const_cast<void*>(none));
            return const_cast<void*>(none);
        }
        if (address || forms->keeps_places) addresses[found++] = address;
    }
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(addresses), found * sizeof *addresses);
}
}
