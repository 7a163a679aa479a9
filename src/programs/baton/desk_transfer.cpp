#include "programs/baton/desk_transfer.h"

#include "desk/image.h"
#include "programs/baton/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace json = boost::json;

namespace baton::cli {

Passing::~Passing() {
    ::unlink(path.c_str());
}

std::string passing_path(const std::string& what) {
    return std::filesystem::temp_directory_path() /
           fmt::format("baton-{}-{}", what, value_or_fail(desk::new_desk_id()).value);
}

std::string desk_path(const DeskOptions& options) {
    return "/v1/desks/" + escape(options.target);
}

json::object send_file(Remote& remote, const std::string& target, const std::string& query,
                       const std::string& file) {
    constexpr std::int64_t piece = std::int64_t{4} << 20;
    std::error_code error;
    const auto total = static_cast<std::int64_t>(std::filesystem::file_size(file, error));
    std::ifstream stream(file, std::ios::binary);
    if (error || !stream)
        throw CommandFailed{
            fail_errno(error ? error.value() : EACCES, "cannot read " + file).value()};
    Progress progress("sending");
    json::object answer;
    for (std::int64_t offset = 0; offset < total; offset += piece) {
        std::string bytes(static_cast<std::size_t>(std::min(piece, total - offset)), '\0');
        if (!stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
            throw CommandFailed{
                Error{Errc::io, fmt::format("{} ended while it was read", file), "", 0}};
        answer = remote.put(fmt::format("{}?total={}&offset={}{}", target, total, offset, query),
                            std::move(bytes));
        progress.show(std::min(offset + piece, total), total);
    }
    return answer;
}

void fetch_packed(Remote& remote, const DeskOptions& options, const std::string& file) {
    Progress progress("fetching");
    remote.download(desk_path(options) + "/image", file,
                    [&](std::int64_t done, std::int64_t total) { progress.show(done, total); });
}

} // namespace baton::cli
