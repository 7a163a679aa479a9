#include "osimage/manifest.h"

#include "osimage/hash.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace baton::osimage {

namespace json = boost::json;

namespace {

constexpr int format_version = 1;

tl::unexpected<Error> corrupt(const std::string& field, const std::string& wanted) {
    return fail(Errc::corrupt,
                "the OS image's manifest is damaged: field '" + field + "' is not " + wanted,
                "verify the image with: baton os verify ID; build or import it again");
}

/// Reads typed fields of one object and remembers the first that is wrong.
class Reader {
  public:
    Reader(const json::object& object, std::string prefix)
        : object_(object), prefix_(std::move(prefix)) {}

    std::string text(const char* name) {
        const auto* value = object_.if_contains(name);
        if (value != nullptr && value->is_string() && value->get_string().size() <= 4096)
            return std::string(value->get_string());
        return bad(name, "a text"), std::string();
    }

    std::int64_t number(const char* name, std::int64_t least) {
        const auto* value = object_.if_contains(name);
        if (value != nullptr && value->is_int64() && value->get_int64() >= least)
            return value->get_int64();
        return bad(name, "a whole number from " + std::to_string(least)), least;
    }

    bool flag(const char* name) {
        const auto* value = object_.if_contains(name);
        if (value != nullptr && value->is_bool())
            return value->get_bool();
        return bad(name, "true or false"), false;
    }

    void bad(const char* name, std::string wanted) {
        if (field_.empty()) {
            field_ = prefix_ + name;
            wanted_ = std::move(wanted);
        }
    }

    [[nodiscard]] Result<void> good() const {
        if (field_.empty())
            return {};
        return corrupt(field_, wanted_);
    }

  private:
    const json::object& object_;
    std::string prefix_;
    std::string field_;
    std::string wanted_;
};

bool is_sha256(std::string_view text) {
    return text.size() == 64 &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<std::vector<File>> files_from(const json::object& object) {
    const auto* list = object.if_contains("files");
    if (list == nullptr || !list->is_array() || list->get_array().size() > file_names.size())
        return corrupt("files", "a list of the image's files");
    std::vector<File> files;
    for (const auto& entry : list->get_array()) {
        if (!entry.is_object())
            return corrupt("files", "a list of objects");
        Reader reader(entry.get_object(), "files.");
        File file{reader.text("name"), reader.number("size_bytes", 0), reader.text("sha256")};
        if (std::find(file_names.begin(), file_names.end(), file.name) == file_names.end())
            reader.bad("name", "one of disk.qcow2, kernel, initrd");
        if (!is_sha256(file.sha256))
            reader.bad("sha256", "64 hexadecimal digits");
        for (const auto& other : files)
            if (other.name == file.name)
                reader.bad("name", "there only once");
        BATON_TRY(reader.good());
        files.push_back(std::move(file));
    }
    if (std::none_of(files.begin(), files.end(),
                     [](const File& f) { return f.name == file_names[0]; }))
        return corrupt("files", "a list with disk.qcow2 in it");
    return files;
}

std::string digest_of(json::object object) {
    object.erase("digest");
    return sha256_text(json::serialize(object));
}

} // namespace

std::string to_json(const Manifest& manifest) {
    json::array files;
    for (const auto& file : manifest.files)
        files.push_back(
            {{"name", file.name}, {"size_bytes", file.size_bytes}, {"sha256", file.sha256}});
    json::object object{{"format", format_version},
                        {"id", manifest.id.value},
                        {"name", manifest.name},
                        {"version", manifest.version},
                        {"description", manifest.description},
                        {"created", manifest.created},
                        {"kernel_arguments", manifest.kernel_arguments},
                        {"firmware", manifest.firmware},
                        {"minimum_memory_mib", manifest.minimum_memory.count},
                        {"has_guest_agent", manifest.has_guest_agent},
                        {"inputs_sha256", manifest.inputs_sha256},
                        {"files", std::move(files)}};
    object["digest"] = digest_of(object);
    return json::serialize(object) + "\n";
}

Result<Manifest> manifest_from_json(std::string_view text) {
    if (text.size() > longest_manifest)
        return corrupt("(all of it)", "of a manifest's size");
    boost::system::error_code wrong;
    json::parse_options options;
    options.max_depth = 4;
    const auto value = json::parse(text, wrong, {}, options);
    if (wrong || !value.is_object())
        return corrupt("(all of it)", "a JSON object");
    const auto& object = value.get_object();
    Reader reader(object, "");
    if (const auto format = reader.number("format", 1); reader.good() && format > format_version)
        return fail(Errc::unsupported,
                    "the OS image's manifest is of format " + std::to_string(format) +
                        ", made by a newer Baton",
                    "update Baton on this machine");
    Manifest manifest;
    manifest.id = OsImageId(reader.text("id"));
    manifest.name = reader.text("name");
    manifest.version = reader.text("version");
    manifest.description = reader.text("description");
    manifest.created = reader.text("created");
    manifest.kernel_arguments = reader.text("kernel_arguments");
    manifest.firmware = reader.text("firmware");
    manifest.minimum_memory = Mebibytes(reader.number("minimum_memory_mib", 1));
    manifest.has_guest_agent = reader.flag("has_guest_agent");
    manifest.inputs_sha256 = reader.text("inputs_sha256");
    const auto digest = reader.text("digest");
    BATON_TRY(reader.good());
    if (manifest.firmware != "bios" && manifest.firmware != "uefi")
        return corrupt("firmware", "\"bios\" or \"uefi\"");
    if (!check_name("OS image name", manifest.name) ||
        !check_name("OS image version", manifest.version))
        return corrupt("name", "a name of small letters, digits, dots and dashes");
    if (manifest.id.value != manifest.name + "-" + manifest.version)
        return corrupt("id", "\"" + manifest.name + "-" + manifest.version + "\"");
    if (digest != digest_of(object))
        return corrupt("digest", "that of the other fields: something was changed");
    auto files = files_from(object);
    if (!files)
        return tl::unexpected(files.error());
    manifest.files = std::move(*files);
    return manifest;
}

std::optional<std::uint64_t> as_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (wrong != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return number;
}

} // namespace baton::osimage
