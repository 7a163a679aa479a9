#include "netboot/manifest.h"

#include "osimage/hash.h"

#include <boost/json.hpp>

#include <algorithm>

namespace json = boost::json;

namespace baton::netboot {

namespace {

constexpr std::string_view format = "baton-client-image-1";
constexpr std::string_view id_prefix = "client-";
constexpr std::size_t id_digits = 12;

bool is_hex(std::string_view text, std::size_t length) {
    return text.size() == length && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

tl::unexpected<Error> corrupt(const std::string& field) {
    return fail(Errc::corrupt, "a client image's manifest is wrong at '" + field + "'",
                "build the image again: baton netboot build --again");
}

Result<File> file_from(const json::value& value, std::string_view name) {
    if (!value.is_object())
        return corrupt("files");
    const auto& object = value.get_object();
    const auto* is = object.if_contains("name");
    const auto* size = object.if_contains("size_bytes");
    const auto* hash = object.if_contains("sha256");
    if (is == nullptr || !is->is_string() || is->get_string() != name)
        return corrupt("files.name");
    if (size == nullptr || !size->is_int64() || size->get_int64() <= 0)
        return corrupt("files.size_bytes");
    if (hash == nullptr || !hash->is_string() || !is_hex(hash->get_string(), 64))
        return corrupt("files.sha256");
    return File{std::string(name), size->get_int64(), std::string(hash->get_string())};
}

} // namespace

const File* Manifest::file(std::string_view name) const {
    const auto found = std::ranges::find(files, name, &File::name);
    return found == files.end() ? nullptr : &*found;
}

std::string id_of(const Manifest& manifest) {
    std::string all = manifest.kernel_arguments + "\n";
    for (const auto& file : manifest.files)
        all += file.name + " " + file.sha256 + "\n";
    return std::string(id_prefix) + osimage::sha256_text(all).substr(0, id_digits);
}

bool is_image_id(std::string_view text) {
    return text.starts_with(id_prefix) && is_hex(text.substr(id_prefix.size()), id_digits);
}

std::string to_json(const Manifest& manifest) {
    json::array files;
    for (const auto& file : manifest.files)
        files.push_back(json::object{
            {"name", file.name}, {"size_bytes", file.size_bytes}, {"sha256", file.sha256}});
    return json::serialize(json::object{{"format", format},
                                        {"id", manifest.id},
                                        {"created", manifest.created},
                                        {"description", manifest.description},
                                        {"kernel_arguments", manifest.kernel_arguments},
                                        {"minimum_memory_mib", manifest.minimum_memory.count},
                                        {"inputs_sha256", manifest.inputs_sha256},
                                        {"files", std::move(files)}}) +
           "\n";
}

Result<Manifest> manifest_from_json(std::string_view text) {
    boost::system::error_code error;
    const auto value = json::parse(text, error);
    if (error || !value.is_object())
        return corrupt("(all of it)");
    const auto& object = value.get_object();
    Manifest manifest;
    std::string written;
    for (const auto& [name, place] :
         {std::pair{"format", &written}, std::pair{"id", &manifest.id},
          std::pair{"created", &manifest.created}, std::pair{"description", &manifest.description},
          std::pair{"kernel_arguments", &manifest.kernel_arguments},
          std::pair{"inputs_sha256", &manifest.inputs_sha256}}) {
        const auto* field = object.if_contains(name);
        if (field == nullptr || !field->is_string() || !is_printable(field->get_string()))
            return corrupt(name);
        *place = std::string(field->get_string());
    }
    if (written != format)
        return corrupt("format");
    const auto* memory = object.if_contains("minimum_memory_mib");
    if (memory == nullptr || !memory->is_int64() || memory->get_int64() <= 0)
        return corrupt("minimum_memory_mib");
    manifest.minimum_memory = Mebibytes(memory->get_int64());
    const auto* files = object.if_contains("files");
    if (files == nullptr || !files->is_array() || files->get_array().size() != image_files.size())
        return corrupt("files");
    for (std::size_t i = 0; i < image_files.size(); ++i) {
        auto file = file_from(files->get_array()[i], image_files[i]);
        if (!file)
            return tl::unexpected(file.error());
        manifest.files.push_back(std::move(*file));
    }
    if (manifest.id != id_of(manifest))
        return corrupt("id");
    return manifest;
}

} // namespace baton::netboot
