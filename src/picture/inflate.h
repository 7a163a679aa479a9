#pragma once

#include "model/error.h"

#include <cstddef>
#include <memory>
#include <string_view>

struct z_stream_s;

namespace baton::picture {

/// One zlib stream of a server, over many rectangles (RFC 1950). Holds some 40 KiB once it is used.
class Inflate {
  public:
    Inflate();
    ~Inflate();
    Inflate(Inflate&&) noexcept;
    Inflate& operator=(Inflate&&) noexcept;

    /// Begins anew with the next bytes.
    void reset();

    /// Takes from the front of `input`, writes at most `room` bytes to `out`: how many. 0: all
    /// input is used up and nothing is left to come of it. Errc::corrupt: not a zlib stream.
    Result<std::size_t> next(std::string_view& input, char* out, std::size_t room);

  private:
    struct End {
        void operator()(z_stream_s* stream) const;
    };

    std::unique_ptr<z_stream_s, End> stream_;
};

} // namespace baton::picture
