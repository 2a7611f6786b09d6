#include "examples.hpp"

#include "vocabulary.hpp"

namespace sagedock::text {

namespace {

// One line while it is read; nothing of it stays when it has no label or no row.
class Line {
public:
    Line(const Numbering& numbering, const Ngrams& ngrams, Lines& lines) : numbering_(numbering), ngrams_(ngrams), lines_(lines) {}

    void take(std::size_t token) {
        ++tokens_;
        if (numbering_.is_label[token]) {
            named_ = true;
            if (numbering_.final[token] >= numbering_.words) lines_.labels.push_back(numbering_.final[token] - numbering_.words);
            return;
        }
        worded_ = worded_ || token != Vocabulary::end;
        hashes_.push_back(numbering_.hashes[token]);
        const std::int64_t begin = numbering_.row_starts[token], end = numbering_.row_starts[token + 1];
        lines_.rows.insert(lines_.rows.end(), numbering_.rows + begin, numbering_.rows + end);
    }

    void end() {
        if (tokens_ == 0) return;
        word_ngrams(hashes_.data(), hashes_.size(), ngrams_, [&](std::int32_t bucket) { lines_.rows.push_back(numbering_.words + bucket); });
        count();
        if (lines_.rows.size() > rows_ && lines_.labels.size() > labels_) keep();
        lines_.rows.resize(rows_);
        lines_.labels.resize(labels_);
        hashes_.clear();
        tokens_ = 0;
        named_ = worded_ = false;
    }

private:
    void count() {
        if (worded_ && !named_ && lines_.unlabelled++ == 0) lines_.first_unlabelled = lines_.total;
        if (named_ && lines_.labels.size() == labels_) ++lines_.unseen;
        ++lines_.total;
    }

    void keep() {
        lines_.lengths.push_back(static_cast<std::int64_t>(lines_.rows.size() - rows_));
        lines_.label_lengths.push_back(static_cast<std::int64_t>(lines_.labels.size() - labels_));
        lines_.token_lengths.push_back(tokens_);
        rows_ = lines_.rows.size();
        labels_ = lines_.labels.size();
    }

    const Numbering& numbering_;
    const Ngrams& ngrams_;
    Lines& lines_;
    std::vector<std::uint32_t> hashes_;
    std::size_t rows_ = 0, labels_ = 0;  // of the lines before this one
    std::int64_t tokens_ = 0;
    bool named_ = false, worded_ = false;
};

}  // namespace

bool make_lines(const std::int32_t* tokens, std::size_t count, const Numbering& numbering, const Ngrams& ngrams, Lines& lines) {
    Line line(numbering, ngrams, lines);
    for (std::size_t place = 0; place < count; ++place) {
        const std::int32_t token = tokens[place];
        if (token != Vocabulary::cut) {
            if (token < 0 || static_cast<std::size_t>(token) >= numbering.count) return false;
            line.take(static_cast<std::size_t>(token));
        }
        if (token <= Vocabulary::end) line.end();
    }
    line.end();
    return true;
}

}  // namespace sagedock::text
