#include "osimage/qcow2.h"

namespace baton::osimage {

namespace {

constexpr std::uint64_t largest_disk_bytes = 16ULL << 40U;

/// Big-endian, as everything in qcow2.
std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
        value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

} // namespace

Result<Qcow2Header> read_qcow2_header(std::string_view bytes) {
    constexpr std::string_view magic("QFI\xfb", 4);
    if (bytes.size() < 4 || bytes.substr(0, 4) != magic)
        return fail(Errc::corrupt, "it is not a qcow2 image",
                    "convert it first: qemu-img convert -f FORMAT -O qcow2 FROM TO");
    if (bytes.size() < 72)
        return fail(Errc::corrupt, "it ends in the middle of its qcow2 header");
    Qcow2Header header;
    header.version = static_cast<std::uint32_t>(number(bytes, 4, 4));
    if (header.version != 2 && header.version != 3)
        return fail(Errc::corrupt, "it is of a qcow2 version that does not exist (" +
                                       std::to_string(header.version) + ")");
    if (header.version == 3 && bytes.size() < qcow2_header_size)
        return fail(Errc::corrupt, "it ends in the middle of its qcow2 header");
    header.has_backing_file = number(bytes, 8, 8) != 0;
    const auto cluster_bits = number(bytes, 20, 4);
    if (cluster_bits < 9 || cluster_bits > 21)
        return fail(Errc::corrupt, "its qcow2 header is damaged (cluster size)");
    header.virtual_size_bytes = number(bytes, 24, 8);
    header.encrypted = number(bytes, 32, 4) != 0;
    if (header.version == 3) {
        const auto incompatible = number(bytes, 72, 8);
        header.dirty = (incompatible & 1U) != 0;
        header.marked_corrupt = (incompatible & 2U) != 0;
        header.has_external_data = (incompatible & 4U) != 0;
    }
    return header;
}

Result<void> check_self_contained(const Qcow2Header& header, const std::string& path) {
    const auto flatten = "make it whole on the machine it comes from: qemu-img convert -O qcow2 " +
                         path + " WHOLE.qcow2";
    if (header.has_backing_file)
        return fail(Errc::unsupported,
                    "it is only the difference to another file (it has a backing file), which a "
                    "stranger's image could point anywhere",
                    flatten);
    if (header.has_external_data)
        return fail(Errc::unsupported, "its contents are in another file (external data file)",
                    flatten);
    if (header.encrypted)
        return fail(Errc::unsupported, "it is encrypted; every host would need its key",
                    "decrypt it first with qemu-img convert");
    if (header.marked_corrupt)
        return fail(Errc::corrupt, "QEMU has marked it as damaged",
                    "look at it with: qemu-img check " + path);
    if (header.virtual_size_bytes == 0 || header.virtual_size_bytes > largest_disk_bytes)
        return fail(Errc::unsupported, "its disk is of " +
                                           std::to_string(header.virtual_size_bytes) +
                                           " bytes; 1 byte to 16 TiB is possible");
    return {};
}

} // namespace baton::osimage
