#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <zlib.h>

/// zlib as RFB's servers and viewers use it: one stream over many rectangles.
namespace baton::rfb {

class Deflater {
  public:
    Deflater() {
        if (deflateInit(&stream_, 6) != Z_OK)
            throw std::runtime_error("deflateInit failed");
    }

    ~Deflater() { deflateEnd(&stream_); }

    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;

    /// Flushed to a byte's end, as servers do after each rectangle.
    std::string add(std::string_view plain) {
        std::string out(plain.size() * 2 + 64, '\0');
        std::string in(plain);
        stream_.next_in = reinterpret_cast<Bytef*>(in.data());
        stream_.avail_in = static_cast<uInt>(in.size());
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = static_cast<uInt>(out.size());
        const int status = deflate(&stream_, Z_SYNC_FLUSH); // Z_BUF_ERROR: nothing was added
        if ((status != Z_OK && status != Z_BUF_ERROR) || stream_.avail_in != 0)
            throw std::runtime_error("deflate failed");
        out.resize(out.size() - stream_.avail_out);
        return out;
    }

  private:
    z_stream stream_{};
};

class Inflating {
  public:
    Inflating() { begin(); }

    ~Inflating() { inflateEnd(&stream_); }

    Inflating(const Inflating&) = delete;
    Inflating& operator=(const Inflating&) = delete;

    void reset() {
        inflateEnd(&stream_);
        stream_ = {};
        begin();
    }

    /// At most `most` bytes of the plain text. Throws as a viewer ends its connection.
    std::string add(std::string_view deflated, std::size_t most) {
        std::string out(most + 1, '\0');
        std::string in(deflated);
        stream_.next_in = reinterpret_cast<Bytef*>(in.data());
        stream_.avail_in = static_cast<uInt>(in.size());
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = static_cast<uInt>(out.size());
        const int status = inflate(&stream_, Z_SYNC_FLUSH);
        if ((status != Z_OK && status != Z_BUF_ERROR) || stream_.avail_in != 0)
            throw std::runtime_error("inflate failed");
        out.resize(out.size() - stream_.avail_out);
        return out;
    }

  private:
    void begin() {
        if (inflateInit(&stream_) != Z_OK)
            throw std::runtime_error("inflateInit failed");
    }

    z_stream stream_{};
};

} // namespace baton::rfb
