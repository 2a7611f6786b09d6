// The texts of a request in JSON, of the plain form that clients send; and numbers as orjson writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sagedock::text {

// The texts of a request, and how many labels of each are wanted.
class Questions {
public:
    // Read {"instances": ["...", ...], "configuration": {"k": 1}}, the configuration or its k left out or not. False,
    // and nothing of use, for anything unusual or wrong.
    bool read_document(std::string_view body);

    // Read {"source": "...", "k": 1}, k left out or not, from every line.
    bool read_lines(std::string_view body);

    std::size_t count() const { return wanted_.size(); }
    std::string_view text(std::size_t number) const { return std::string_view(bytes_).substr(begins_[number], begins_[number + 1] - begins_[number]); }
    std::int32_t wanted(std::size_t number) const { return wanted_[number]; }

private:
    void clear();
    void finish_text();

    std::string bytes_;  // of all texts
    std::vector<std::size_t> begins_;
    std::vector<std::int32_t> wanted_;

    friend class Reader;
};

// Whether bytes are UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);

constexpr std::size_t longest_json_number = 40;

// Write a number from 0 to below 1e16 as orjson does; returns its end. `out` has room for `longest_json_number` bytes.
char* write_json(char* out, double value);

}  // namespace sagedock::text
