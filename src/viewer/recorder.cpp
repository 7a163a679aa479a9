#include "viewer/recorder.h"

#include "rfb/wire.h"

#include <cerrno>
#include <utility>

namespace baton::viewer {

Result<Recorder> Recorder::open(const std::string& path) {
    File file(std::fopen(path.c_str(), "wbe"));
    if (!file)
        return fail_errno(errno, "cannot write the record " + path);
    Recorder recorder(std::move(file));
    std::fputs("baton-view record 1\n", recorder.file_.get());
    return recorder;
}

void Recorder::begin(const rfb::ServerInit& init) {
    constexpr std::uint32_t server_init = 0x80000000;
    rfb::ServerInit shown = init;
    shown.format = {};
    std::string bytes;
    rfb::write(bytes, shown);
    write(bytes, 0, server_init);
}

void Recorder::take(std::string_view bytes, std::uint64_t frames) {
    if (!bytes.empty())
        write(bytes, frames, 0);
}

void Recorder::write(std::string_view bytes, std::uint64_t frames, std::uint32_t mark) {
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - start_);
    std::string head;
    rfb::put32(head, static_cast<std::uint32_t>(since.count()));
    rfb::put32(head, static_cast<std::uint32_t>(frames));
    rfb::put32(head, static_cast<std::uint32_t>(bytes.size()) | mark);
    std::fwrite(head.data(), 1, head.size(), file_.get());
    std::fwrite(bytes.data(), 1, bytes.size(), file_.get());
    std::fflush(file_.get());
}

} // namespace baton::viewer
