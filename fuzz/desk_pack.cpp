/// A packed desk from a stranger: unpacking it must end, and leave nothing behind unless it was
/// whole.
#include "desk/image.h"
#include "desk/pack.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

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

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Folder folder;
    static const int memory = ::memfd_create("packed", 0);
    static const std::string packed = "/proc/self/fd/" + std::to_string(memory);
    if (::ftruncate(memory, 0) != 0 ||
        ::pwrite(memory, data, size, 0) != static_cast<ssize_t>(size))
        std::abort();
    const std::string image = folder.path + "/x.desk";
    const auto copied = baton::desk::unpack(packed, image);
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
