/// `baton-desk-reader IMAGE OFFSET`: what is in a desk's file system, as one JSON object per line.
/// Started by `baton` in the sandbox of desk/sandbox.h; of no use to people.
#include "deskreader/walk.h"

#include <boost/json.hpp>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>

namespace {

namespace json = boost::json;

constexpr std::int64_t most_entries = 2'000'000;

void put(const json::object& object) {
    const auto line = json::serialize(object) + "\n";
    std::fwrite(line.data(), 1, line.size(), stdout);
}

} // namespace

int main(int argc, char** argv) {
    std::int64_t offset = 0;
    const char* end = argc == 3 ? argv[2] + std::strlen(argv[2]) : nullptr;
    if (argc != 3 || std::from_chars(argv[2], end, offset).ptr != end) {
        std::fputs("baton-desk-reader: say which image, and where in it the file system begins\n",
                   stderr);
        return 2;
    }
    try {
        baton::deskreader::Sink sink;
        sink.entry = [](const baton::deskreader::Entry& entry) {
            put({{"layer", entry.layer},
                 {"path", entry.path},
                 {"kind", entry.kind},
                 {"size_bytes", entry.size_bytes},
                 {"copied", entry.copied},
                 {"covers", entry.covers}});
        };
        sink.sum = [](const baton::deskreader::Sum& sum) {
            put({{"folder", sum.folder}, {"files", sum.files}, {"size_bytes", sum.size_bytes}});
        };
        const auto done = baton::deskreader::walk(argv[1], offset, most_entries, sink);
        if (!done) {
            std::fprintf(stderr, "%s\n", done.error().what.c_str());
            return 1;
        }
        return std::fflush(stdout) == 0 ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "this is a fault of Baton's own: %s\n", error.what());
        return 1;
    }
}
