#include "instances.hpp"

#include <algorithm>

#include "number.hpp"

namespace sagedock {

namespace {

// What is left of a JSON text.
class Json {
public:
    explicit Json(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

    // Pass blanks and then `expected`.
    bool pass(char expected) {
        skip();
        if (at_ == end_ || *at_ != expected) return false;
        ++at_;
        return true;
    }

    bool pass(std::string_view expected) {
        skip();
        if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, expected.size()) != expected) return false;
        at_ += expected.size();
        return true;
    }

    bool at_end() {
        skip();
        return at_ == end_;
    }

    // Read a number that fits a 32-bit float.
    bool read(float& value) {
        skip();
        const char* const stop = number_end();
        if (stop == nullptr) return false;
        const char* const begin = at_;
        at_ = stop;
        return read_number(begin, stop, value) == stop;
    }

private:
    static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

    void skip() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n')) ++at_;
    }

    const char* pass_digits(const char* from) const {
        while (from != end_ && is_digit(*from)) ++from;
        return from;
    }

    // The end of the number that begins here (RFC 8259 section 6), nullptr when none does.
    const char* number_end() const {
        const char* from = at_;
        if (from != end_ && *from == '-') ++from;
        const char* stop = pass_digits(from);
        if (stop == from || (*from == '0' && stop - from > 1)) return nullptr;
        if (stop != end_ && *stop == '.') {
            from = stop + 1;
            stop = pass_digits(from);
            if (stop == from) return nullptr;
        }
        if (stop == end_ || (*stop | 0x20) != 'e') return stop;
        from = stop + 1;
        if (from != end_ && (*from == '+' || *from == '-')) ++from;
        stop = pass_digits(from);
        return stop == from ? nullptr : stop;
    }

    const char* at_;
    const char* end_;
};

bool read_record(Json& json, std::size_t columns, std::vector<float>& values) {
    if (!json.pass('{') || !json.pass("\"features\"") || !json.pass(':') || !json.pass('[')) return false;
    for (std::size_t column = 0; column < columns; ++column) {
        float value = 0;
        if ((column > 0 && !json.pass(',')) || !json.read(value)) return false;
        values.push_back(value);
    }
    return json.pass(']') && json.pass('}');
}

}  // namespace

bool read_instances(std::string_view body, std::size_t columns, std::vector<float>& values) {
    Json json(body);
    if (!json.pass('{') || !json.pass("\"instances\"") || !json.pass(':') || !json.pass('[')) return false;
    do {
        if (!read_record(json, columns, values)) return false;
    } while (json.pass(','));
    return json.pass(']') && json.pass('}') && json.at_end();
}

bool read_instance_lines(std::string_view body, std::size_t columns, std::vector<float>& values) {
    const std::size_t last = body.find_last_not_of(" \t\r\n");
    if (last == std::string_view::npos) return false;
    body = body.substr(0, last + 1);
    for (std::size_t begin = 0; begin < body.size();) {
        const std::size_t end = std::min(body.find('\n', begin), body.size());
        Json json(body.substr(begin, end - begin));
        if (!read_record(json, columns, values) || !json.at_end()) return false;
        begin = end + 1;
    }
    return true;
}

}  // namespace sagedock
