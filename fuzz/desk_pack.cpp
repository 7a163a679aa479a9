/// A packed desk from a stranger: unpacking it must end, and leave nothing behind unless it was
/// whole. The first byte chooses what of it is made right, so that what lies deeper is reached:
/// bytes as they are, a zstd stream of them, one of a right header and them.
#include "desk/image.h"
#include "desk/pack.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

namespace {

/// Removed when the fuzzer ends.
struct Folder {
    std::string path;

    Folder() : path((std::filesystem::temp_directory_path() / "fuzz-desk-XXXXXX").string()) {
        if (::mkdtemp(path.data()) == nullptr)
            std::abort();
    }

    ~Folder() { std::filesystem::remove_all(path); }
};

std::string right_start() {
    baton::desk::Header header;
    header.id = baton::DeskId("0c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e");
    header.owner = "kim";
    header.size_bytes = baton::desk::smallest_size.bytes();
    const auto slot = baton::desk::encode_slot(header, 1).value();
    std::string start("BATONPCK\1\0\0\0\0\0\0\0", 16);
    start.append(slot.begin(), slot.end());
    return start;
}

std::string packed_from(std::uint8_t how, std::string_view bytes) {
    static const std::string start = right_start();
    if (how % 3 == 0)
        return std::string(bytes);
    const std::string stream = (how % 3 == 2 ? start : std::string()) + std::string(bytes);
    std::string packed(ZSTD_compressBound(stream.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), stream.data(), stream.size(), 1));
    return packed;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Folder folder;
    static const int memory = ::memfd_create("packed", 0);
    static const std::string path = "/proc/self/fd/" + std::to_string(memory);
    if (size == 0)
        return 0;
    const auto packed = packed_from(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
    if (::ftruncate(memory, 0) != 0 ||
        ::pwrite(memory, packed.data(), packed.size(), 0) != static_cast<ssize_t>(packed.size()))
        std::abort();
    const std::string image = folder.path + "/x.desk";
    const auto copied = baton::desk::unpack(path, image);
    if (copied.has_value() != std::filesystem::exists(image))
        std::abort();
    if (copied) {
        const auto opened = baton::desk::Image::open(image, baton::desk::Access::read);
        if (!opened || opened->header() != copied->header)
            std::abort();
        std::filesystem::remove(image);
    } else if (!std::filesystem::is_empty(folder.path)) {
        std::abort();
    }
    return 0;
}
