#include "documents.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "json.hpp"
#include "number.hpp"

namespace sagedock::topics {

namespace {

constexpr std::size_t most_word_digits = 9;

bool is_count(double value) { return value >= 0 && value <= most_count && value == std::floor(value); }

// One document while it is read.
class Writer {
public:
    Writer(Documents& documents, std::size_t columns) : documents_(documents), columns_(columns) {}

    // The next of all counts in the order of the words.
    bool add(double count) {
        if (!is_count(count) || next_ == columns_) return false;
        if (count > 0) {
            documents_.words.push_back(static_cast<std::int32_t>(next_));
            documents_.counts.push_back(static_cast<float>(count));
        }
        ++next_;
        return true;
    }

    // So many words that do not occur.
    bool skip(std::size_t words) {
        if (words > columns_ - next_) return false;
        next_ += words;
        return true;
    }

    bool end_dense() { return next_ == columns_ && end(); }

    // Counts of the words `keys`, in any order.
    bool add_sparse(const std::vector<std::size_t>& keys, const std::vector<double>& values) {
        if (keys.size() != values.size()) return false;
        if (std::is_sorted(keys.begin(), keys.end())) {
            for (std::size_t place = 0; place < keys.size(); ++place)
                if (!put(keys[place], values[place])) return false;
            return end();
        }
        std::vector<std::size_t> order(keys.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::sort(order.begin(), order.end(), [&](std::size_t one, std::size_t other) { return keys[one] < keys[other]; });
        for (const std::size_t place : order)
            if (!put(keys[place], values[place])) return false;
        return end();
    }

private:
    // A count of a word behind those before it: a word twice is unusual.
    bool put(std::size_t word, double count) {
        if (word < next_ || word >= columns_) return false;
        next_ = word;
        return add(count);
    }

    bool end() {
        documents_.starts.push_back(static_cast<std::int64_t>(documents_.words.size()));
        next_ = 0;
        return true;
    }

    Documents& documents_;
    std::size_t columns_, next_ = 0;
};

// One line of counts; `at` moves to its end.
bool read_line(const char*& at, const char* end, Writer& writer) {
    constexpr std::uint64_t four_zeros = 0x2C302C302C302C30;  // "0,0,0,0,"
    for (;;) {
        for (std::uint64_t word = 0; end - at >= 8; at += 8) {
            std::memcpy(&word, at, sizeof word);
            if (word != four_zeros) break;
            if (!writer.skip(4)) return false;
        }
        float value = 0;
        at = read_number(at, end, value);
        if (at == nullptr || !writer.add(value)) return false;
        if (at == end || *at != ',') return true;
        ++at;
    }
}

struct Tensor {
    std::vector<std::size_t> keys;
    std::vector<double> values;
};

bool read_values(Json& json, std::vector<double>& values) {
    if (!json.pass('[')) return false;
    if (json.pass(']')) return true;
    do {
        float value = 0;
        if (!json.read(value)) return false;
        values.push_back(value);
    } while (json.pass(','));
    return json.pass(']');
}

bool read_keys(Json& json, std::vector<std::size_t>& keys) {
    if (!json.pass('[')) return false;
    if (json.pass(']')) return true;
    do {
        std::size_t key = 0;
        if (!json.read_whole(most_word_digits, key)) return false;
        keys.push_back(key);
    } while (json.pass(','));
    return json.pass(']');
}

bool read_dense(Json& json, Writer& writer) {
    if (!json.pass('[')) return false;
    do {
        float value = 0;
        if (!json.read(value) || !writer.add(value)) return false;
    } while (json.pass(','));
    return json.pass(']') && writer.end_dense();
}

bool finish(const Tensor& tensor, Writer& writer) {
    for (const double value : tensor.values)
        if (!writer.add(value)) return false;
    return writer.end_dense();
}

// {"values": [...]} or {"keys": [...], "shape": [columns], "values": [...]}, in any order.
bool read_tensor(Json& json, std::size_t columns, Tensor& tensor, Writer& writer) {
    tensor.keys.clear();
    tensor.values.clear();
    bool keys = false, values = false, shape = false;
    if (!json.pass('{')) return false;
    do {
        if (!keys && json.pass("\"keys\"")) {
            keys = true;
            if (!json.pass(':') || !read_keys(json, tensor.keys)) return false;
        } else if (!values && json.pass("\"values\"")) {
            values = true;
            if (!json.pass(':') || !read_values(json, tensor.values)) return false;
        } else if (!shape && json.pass("\"shape\"")) {
            shape = true;
            std::size_t found = 0;
            if (!json.pass(':') || !json.pass('[') || !json.read_whole(most_word_digits + 1, found) || !json.pass(']')) return false;
            if (found != columns) return false;
        } else {
            return false;
        }
    } while (json.pass(','));
    if (!json.pass('}') || !values) return false;
    if (shape && (!tensor.keys.empty() || tensor.values.empty())) return writer.add_sparse(tensor.keys, tensor.values);
    return tensor.keys.empty() && finish(tensor, writer);
}

bool read_features(Json& json, std::size_t columns, Tensor& tensor, Writer& writer) {
    if (!json.pass("\"features\"") || !json.pass(':')) return false;
    return json.peek() == '[' ? read_dense(json, writer) : read_tensor(json, columns, tensor, writer);
}

bool read_instance(Json& json, std::size_t columns, Tensor& tensor, Writer& writer) {
    if (!json.pass('{')) return false;
    if (json.peek() != '"') return false;
    if (!json.pass("\"data\"")) return read_features(json, columns, tensor, writer) && json.pass('}');
    if (!json.pass(':') || !json.pass('{')) return false;
    return read_features(json, columns, tensor, writer) && json.pass('}') && json.pass('}');
}

// A protocol buffer's message, read field by field.
class Message {
public:
    explicit Message(std::string_view bytes) : at_(reinterpret_cast<const unsigned char*>(bytes.data())), end_(at_ + bytes.size()) {}

    bool at_end() const { return at_ == end_; }

    // The next field, which has to be a run of bytes; 0 for anything else.
    unsigned field(std::string_view& content) {
        std::uint64_t length = 0;
        if (at_ == end_ || (*at_ & 7) != 2 || *at_ >= 0x80) return 0;
        const unsigned number = *at_++ >> 3;
        if (!varint(length) || length > static_cast<std::uint64_t>(end_ - at_)) return 0;
        content = {reinterpret_cast<const char*>(at_), static_cast<std::size_t>(length)};
        at_ += length;
        return number;
    }

    bool varint(std::uint64_t& value) {
        value = 0;
        for (int shift = 0; shift < 64 && at_ != end_; shift += 7) {
            const std::uint64_t byte = *at_++;
            if (shift == 63 && byte > 1) return false;
            value |= (byte & 0x7F) << shift;
            if (byte < 0x80) return true;
        }
        return false;
    }

private:
    const unsigned char* at_;
    const unsigned char* end_;
};

template <class Float>
bool read_floats(std::string_view bytes, std::vector<double>& values) {
    if (bytes.size() % sizeof(Float) != 0) return false;
    values.reserve(bytes.size() / sizeof(Float));
    for (std::size_t place = 0; place < bytes.size(); place += sizeof(Float)) {
        Float value = 0;
        std::memcpy(&value, bytes.data() + place, sizeof value);
        values.push_back(static_cast<double>(value));
    }
    return true;
}

bool read_numbers(unsigned kind, std::string_view bytes, std::vector<double>& values) {
    if (kind == 2) return read_floats<float>(bytes, values);
    if (kind == 3) return read_floats<double>(bytes, values);
    if (kind != 7) return false;
    Message numbers(bytes);
    while (!numbers.at_end()) {
        std::uint64_t value = 0;
        if (!numbers.varint(value) || value > INT32_MAX) return false;
        values.push_back(static_cast<double>(value));
    }
    return true;
}

// The only tensor of a Value, and its fields, each there once at most (record.proto).
bool read_record_tensor(std::string_view value, std::size_t columns, Tensor& tensor, Writer& writer) {
    constexpr unsigned values = 1, keys = 2, shape = 3;
    tensor.keys.clear();
    tensor.values.clear();
    std::string_view content, part;
    Message outer(value);
    const unsigned kind = outer.field(content);
    if (kind == 0 || !outer.at_end()) return false;
    unsigned seen = 0;
    for (Message inner(content); !inner.at_end();) {
        const unsigned number = inner.field(part);
        if (number < values || number > shape || (seen & 1U << number) != 0) return false;
        seen |= 1U << number;
        if (number == values && !read_numbers(kind, part, tensor.values)) return false;
        if (number == values) continue;
        std::uint64_t found = 0;
        Message numbers(part);
        if (number == shape && (!numbers.varint(found) || found != columns || !numbers.at_end())) return false;
        while (number == keys && !numbers.at_end()) {
            if (!numbers.varint(found) || found >= columns) return false;
            tensor.keys.push_back(static_cast<std::size_t>(found));
        }
    }
    if ((seen & 1U << shape) != 0 && (!tensor.keys.empty() || tensor.values.empty())) return writer.add_sparse(tensor.keys, tensor.values);
    return tensor.keys.empty() && finish(tensor, writer);
}

bool read_record(std::string_view payload, std::size_t columns, Tensor& tensor, Writer& writer) {
    constexpr unsigned features = 1, key = 1, value = 2;
    std::string_view entry, name, content;
    Message record(payload);
    if (record.field(entry) != features || !record.at_end()) return false;
    Message pair(entry);
    if (pair.field(name) != key || name != "values" || pair.field(content) != value || !pair.at_end()) return false;
    return read_record_tensor(content, columns, tensor, writer);
}

}  // namespace

bool read_lines_of_counts(std::string_view text, std::size_t columns, Documents& documents) {
    Writer writer(documents, columns);
    const char* at = text.data();
    for (const char* const end = at + text.size(); at != end;) {
        if (!read_line(at, end, writer) || !writer.end_dense()) return false;
        if (at != end && *at == '\r') ++at;
        if (at != end && *at++ != '\n') return false;
    }
    return true;
}

bool read_instances_of_counts(std::string_view body, std::size_t columns, Documents& documents) {
    Json json(body);
    Tensor tensor;
    Writer writer(documents, columns);
    if (!json.pass('{') || !json.pass("\"instances\"") || !json.pass(':') || !json.pass('[')) return false;
    do {
        if (!read_instance(json, columns, tensor, writer)) return false;
    } while (json.pass(','));
    return json.pass(']') && json.pass('}') && json.at_end();
}

bool read_instance_lines_of_counts(std::string_view body, std::size_t columns, Documents& documents) {
    Tensor tensor;
    Writer writer(documents, columns);
    const std::size_t last = body.find_last_not_of(" \t\r\n");
    if (last == std::string_view::npos) return false;
    body = body.substr(0, last + 1);
    for (std::size_t begin = 0; begin < body.size();) {
        const std::size_t end = std::min(body.find('\n', begin), body.size());
        Json json(body.substr(begin, end - begin));
        if (!read_instance(json, columns, tensor, writer) || !json.at_end()) return false;
        begin = end + 1;
    }
    return true;
}

RecordsRead read_records_of_counts(std::string_view text, std::size_t columns, Documents& documents) {
    constexpr std::string_view magic("\x0a\x23\xd7\xce", 4);
    constexpr std::size_t header = 8;
    Tensor tensor;
    std::size_t begin = 0;
    while (text.size() - begin >= header) {
        std::uint32_t length = 0;
        std::memcpy(&length, text.data() + begin + magic.size(), sizeof length);
        if (text.substr(begin, magic.size()) != magic || length >> 29 != 0) return {begin, false};
        const std::size_t size = header + length + (4 - length % 4) % 4;
        if (text.size() - begin < size) break;
        const std::size_t words = documents.words.size();
        Writer writer(documents, columns);
        if (!read_record(text.substr(begin + header, length), columns, tensor, writer)) {
            documents.words.resize(words);
            documents.counts.resize(words);
            return {begin, false};
        }
        begin += size;
    }
    return {begin, true};
}

}  // namespace sagedock::topics
