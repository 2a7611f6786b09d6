// Counts of words in documents, sparse, out of what clients send and channels hold. Whatever is unusual or wrong is not
// read here: sagedock.topics reads it, or says what is wrong with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sagedock::topics {

// Document d has counts[i] times words[i], i being from starts[d] to starts[d + 1]; its words ascend and do not repeat.
struct Documents {
    std::vector<std::int64_t> starts{0};
    std::vector<std::int32_t> words;
    std::vector<float> counts;

    std::size_t rows() const { return starts.size() - 1; }
};

// Counts are whole numbers up to here, all of which are 32-bit floats.
constexpr float most_count = 16777216;

// Append the documents of a text of `columns` whole numbers a line, between commas. False for anything else; what was
// written then means nothing. `columns` is below 2^31, here and below.
bool read_lines_of_counts(std::string_view text, std::size_t columns, Documents& documents);

// The same of `{"instances": [...]}`, each being {"features": X} or {"data": {"features": X}}, with X a list of all
// counts, {"values": such a list} or {"keys": [...], "shape": [columns], "values": [...]}.
bool read_instances_of_counts(std::string_view body, std::size_t columns, Documents& documents);

// The same of one instance a line; blank lines may stand at the end.
bool read_instance_lines_of_counts(std::string_view body, std::size_t columns, Documents& documents);

struct RecordsRead {
    std::size_t bytes;  // of whole frames, from the beginning
    bool usual;         // whether only the end of `text` ended it
};

// Append the documents of the framed Records at the beginning of `text` that have features and nothing else.
RecordsRead read_records_of_counts(std::string_view text, std::size_t columns, Documents& documents);

}  // namespace sagedock::topics
