// LIBSVM text, `label[:weight] [qid:n] index:value ...`. Whatever is unusual, such as a comment or indices out of order,
// is not read here: sagedock.formats.libsvm and libsvm_files read it a token at a time, or say what is wrong with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sagedock::libsvm {

enum class Use { request, training };  // of a request the label may be left out, and is dropped

// How many lines a text has, and how many entries at most.
struct Size {
    std::size_t rows, entries;
};

Size size_of(std::string_view text);

// Where records go: each of `labels`, `weights` and `groups` has room for all rows and is used by training alone;
// `values` and `keys` have room for all entries, `starts` for the rows and one more.
struct Destination {
    float* labels;
    float* weights;
    std::int64_t* groups;
    float* values;
    std::int32_t* keys;
    std::int64_t* starts;
};

// How many there were of what a record may have or not: of weights and groups none, or one a row.
struct Found {
    bool plain;
    std::size_t weights, groups, entries;
};

// Read `size.rows` lines that make up the whole of `text`. Not `plain` when one is unusual.
Found read(std::string_view text, Use use, Size size, Destination destination);

}  // namespace sagedock::libsvm
