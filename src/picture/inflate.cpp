#include "picture/inflate.h"

#include "rfb/limits.h"

#include <zlib.h>

namespace baton::picture {

void Inflate::End::operator()(z_stream* stream) const {
    ::inflateEnd(stream);
    delete stream; // NOLINT(cppcoreguidelines-owning-memory)
}

Inflate::Inflate() = default;
Inflate::~Inflate() = default;
Inflate::Inflate(Inflate&&) noexcept = default;
Inflate& Inflate::operator=(Inflate&&) noexcept = default;

void Inflate::reset() {
    if (stream_)
        ::inflateReset(stream_.get());
}

Result<std::size_t> Inflate::next(std::string_view& input, char* out, std::size_t room) {
    if (!stream_) {
        auto fresh = std::make_unique<z_stream>();
        if (::inflateInit(fresh.get()) != Z_OK)
            return fail(Errc::full, "no memory to unpack the screen's data");
        stream_.reset(fresh.release());
    }
    // zlib never writes to its input
    stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_->avail_in = static_cast<uInt>(input.size());
    stream_->next_out = reinterpret_cast<Bytef*>(out);
    stream_->avail_out = static_cast<uInt>(room);
    const int status = ::inflate(stream_.get(), Z_SYNC_FLUSH);
    const std::size_t used = input.size() - stream_->avail_in;
    const std::size_t made = room - stream_->avail_out;
    input.remove_prefix(used);
    // Z_BUF_ERROR: it could not go on without more input or room
    if ((status != Z_OK && status != Z_BUF_ERROR && status != Z_STREAM_END) ||
        (made == 0 && room != 0 && !input.empty()))
        return rfb::not_rfb("the screen's deflated data cannot be unpacked");
    return made;
}

} // namespace baton::picture
