// Records in JSON as clients write them: `{"instances": [{"features": [1, 2.5]}, ...]}`, or one record on a line. Whatever
// is unusual is not read here: sagedock.formats.instances reads it, or says what is wrong with it.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace sagedock {

// Append the numbers of the records of `body`, each of `columns`, to `values`. False for anything else; what was written
// then means nothing.
bool read_instances(std::string_view body, std::size_t columns, std::vector<float>& values);

// The same of records on lines; blank lines may stand at the end.
bool read_instance_lines(std::string_view body, std::size_t columns, std::vector<float>& values);

}  // namespace sagedock
