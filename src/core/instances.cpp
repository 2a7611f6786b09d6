#include "instances.hpp"

#include <algorithm>

#include "json.hpp"

namespace sagedock {

namespace {

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
