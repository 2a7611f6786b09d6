#include "libsvm.hpp"

#include <algorithm>
#include <cmath>

#include "lines.hpp"
#include "number.hpp"

namespace sagedock::libsvm {

namespace {

constexpr std::int64_t highest_index = 2147483646;
constexpr std::ptrdiff_t longest_index = 18;  // digits

// A text read token by token, from its beginning to its end.
class Tokens {
public:
    explicit Tokens(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

    bool at_end() const { return at_ == end_; }

    // Past the spaces here. True where the line ends: then past its end, too.
    bool end_line() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\t')) ++at_;
        if (at_ == end_) return true;
        if (*at_ == '\r' && (at_ + 1 == end_ || at_[1] == '\n')) ++at_;
        else if (*at_ != '\n') return false;
        if (at_ != end_) ++at_;
        return true;
    }

    bool skip(std::string_view text) {
        if (static_cast<std::size_t>(end_ - at_) < text.size() || !std::equal(text.begin(), text.end(), at_)) return false;
        at_ += text.size();
        return true;
    }

    // Whether the token here has a colon.
    bool has_colon() const {
        const char* stop = at_;
        while (stop != end_ && *stop != ':' && !is_space(*stop)) ++stop;
        return stop != end_ && *stop == ':';
    }

    // A number or nan.
    bool read_value(float& value) {
        const char* stop = read_number(at_, end_, value);
        if (stop == nullptr) {
            if (end_ - at_ < 3 || (*at_ | 0x20) != 'n' || (at_[1] | 0x20) != 'a' || (at_[2] | 0x20) != 'n') return false;
            value = __builtin_nanf("");
            stop = at_ + 3;
        }
        at_ = stop;
        return true;
    }

    bool read_index(std::int64_t& index) {
        const char* begin = at_;
        std::uint64_t value = 0;
        at_ = decimal::append_digits(at_, end_, value);
        index = static_cast<std::int64_t>(value);
        return at_ != begin && at_ - begin <= longest_index;
    }

    bool ends_token() const { return at_ == end_ || is_space(*at_); }

private:
    static bool is_space(char byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; }

    const char* at_;
    const char* end_;
};

class Reader {
public:
    Reader(std::string_view text, Use use, Destination destination)
        : tokens_(text), use_(use), destination_(destination) {}

    Found read(Size size) {
        destination_.starts[0] = 0;
        for (std::size_t row = 0; row < size.rows; ++row) {
            if (!read_record(row)) return {};
            destination_.starts[row + 1] = static_cast<std::int64_t>(entries_);
        }
        const bool even = (weights_ == 0 || weights_ == size.rows) && (groups_ == 0 || groups_ == size.rows);
        return {tokens_.at_end() && (even || use_ == Use::request), weights_, groups_, entries_};
    }

private:
    bool read_record(std::size_t row) {
        if (tokens_.end_line()) return use_ == Use::request;
        if (!(use_ == Use::training ? read_label(row) : drop_label())) return false;
        if (tokens_.end_line()) return true;
        if (tokens_.skip("qid:")) {
            if (!read_group(row)) return false;
            if (tokens_.end_line()) return true;
        }
        std::int64_t last = -1;
        do {
            if (!read_entry(last)) return false;
        } while (!tokens_.end_line());
        return true;
    }

    bool read_label(std::size_t row) {
        float& label = destination_.labels[row];
        if (!tokens_.read_value(label) || std::isnan(label)) return false;
        if (tokens_.ends_token()) return true;
        float& weight = destination_.weights[row];
        if (!tokens_.skip(":") || !tokens_.read_value(weight) || std::isnan(weight)) return false;
        ++weights_;
        return tokens_.ends_token();
    }

    bool drop_label() {
        float label = 0;
        return tokens_.has_colon() || (tokens_.read_value(label) && tokens_.ends_token());
    }

    bool read_group(std::size_t row) {
        std::int64_t group = 0;
        if (!tokens_.read_index(group) || !tokens_.ends_token()) return false;
        if (use_ == Use::training) destination_.groups[row] = group;
        ++groups_;
        return true;
    }

    bool read_entry(std::int64_t& last) {
        std::int64_t index = 0;
        if (!tokens_.read_index(index) || index <= last || index > highest_index) return false;
        if (!tokens_.skip(":") || !tokens_.read_value(destination_.values[entries_])) return false;
        last = index;
        destination_.keys[entries_++] = static_cast<std::int32_t>(index);
        return tokens_.ends_token();
    }

    Tokens tokens_;
    Use use_;
    Destination destination_;
    std::size_t weights_ = 0, groups_ = 0, entries_ = 0;
};

}  // namespace

Size size_of(std::string_view text) {
    const bool ended = !text.empty() && text.back() == '\n';
    return {count_lines(text) + !ended, static_cast<std::size_t>(std::count(text.begin(), text.end(), ':'))};
}

Found read(std::string_view text, Use use, Size size, Destination destination) {
    return Reader(text, use, destination).read(size);
}

}  // namespace sagedock::libsvm
