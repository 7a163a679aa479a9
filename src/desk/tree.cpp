#include "desk/tree.h"

#include "desk/sandbox.h"

#include <boost/json.hpp>

#include <filesystem>
#include <unistd.h>

namespace baton::desk {

namespace {

namespace json = boost::json;

constexpr std::size_t most_output = std::size_t{512} << 20;
constexpr const char* name = "baton-desk-reader";

std::string text(const json::object& object, const char* key) {
    return json::value_to<std::string>(object.at(key));
}

} // namespace

Result<Tree> parse_tree(std::string_view lines) {
    Tree tree;
    try {
        while (!lines.empty()) {
            const auto end = std::min(lines.find('\n'), lines.size());
            const auto object = json::parse(lines.substr(0, end)).as_object();
            lines.remove_prefix(std::min(end + 1, lines.size()));
            const auto size = object.at("size_bytes").to_number<std::int64_t>();
            if (object.contains("folder"))
                tree.sums.push_back(
                    {text(object, "folder"), object.at("files").to_number<std::int64_t>(), size});
            else
                tree.entries.push_back({text(object, "layer"), text(object, "path"),
                                        text(object, "kind"), size, object.at("copied").as_bool(),
                                        object.at("covers").as_bool()});
        }
    } catch (const std::exception&) {
        return fail(Errc::corrupt, "what was read of the desk makes no sense");
    }
    return tree;
}

Result<std::string> find_reader() {
    std::error_code error;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", error);
    if (!error) {
        auto beside = (own.parent_path() / name).string();
        if (::access(beside.c_str(), X_OK) == 0)
            return beside;
    }
    return process::find_program(name);
}

Result<Tree> read_tree(const Image& image, const std::string& reader) {
    SandboxOrder order;
    order.words = {program_in_sandbox, image_in_sandbox, std::to_string(image.content_offset())};
    order.image = image.path();
    order.program = reader;
    order.output_limit = most_output;
    const auto finished = run_in_sandbox(order);
    if (!finished)
        return tl::unexpected(finished.error().in("looking into the desk image " + image.path()));
    if (finished->status != 0)
        return fail(Errc::corrupt,
                    "cannot look into the desk image " + image.path() + ": " +
                        process::last_line(finished->error),
                    "check it with: baton desk check");
    return parse_tree(finished->out);
}

} // namespace baton::desk
