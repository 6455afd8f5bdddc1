// The joint histogram of two arrays of bytes, which a confusion matrix is. `pairs.py` calls it.

#include <cstdint>
#include <cstring>

namespace {

constexpr int64_t kValues = 256;

bool all_bytes_equal(uint64_t bytes) { return bytes == (bytes >> 8 | bytes << 56); }

}  // namespace

extern "C" {

// To be raised, in `pairs.py` too, when arguments change: a library may be older than the package that finds it.
int switchseg_interface() { return 1; }

// Add to `counts` (256, 256) how often rows[i] = r meets columns[i] = c.
//
// Eight neighbours are mostly one pair, and are counted as such: one at a time, each addition would wait for the one
// before it to reach the same count.
int switchseg_count_pairs(const uint8_t* rows, const uint8_t* columns, int64_t size, int32_t* counts) {
    int64_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t eight_rows, eight_columns;
        std::memcpy(&eight_rows, rows + i, 8);
        std::memcpy(&eight_columns, columns + i, 8);
        if (all_bytes_equal(eight_rows) && all_bytes_equal(eight_columns)) {
            counts[rows[i] * kValues + columns[i]] += 8;
        } else {
            for (int64_t k = i; k < i + 8; ++k) ++counts[rows[k] * kValues + columns[k]];
        }
    }
    for (; i < size; ++i) ++counts[rows[i] * kValues + columns[i]];
    return 0;
}
}
