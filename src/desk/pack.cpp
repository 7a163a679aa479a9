#include "desk/pack.h"

#include "desk/content.h"
#include "desk/image.h"
#include "desk/new_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <unistd.h>
#include <vector>
#include <zstd.h>

namespace baton::desk {

namespace {

// docs/formats/desk-pack.md
constexpr std::string_view pack_magic = "BATONPCK";
constexpr std::uint32_t version = 1;
constexpr std::size_t hash_bytes = 32;
constexpr int compression_level = 3;
constexpr std::array<std::uint8_t, 4> zstd_magic{0x28, 0xb5, 0x2f, 0xfd};

template <class T>
void append(std::vector<std::uint8_t>& bytes, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i)));
}

template <class T>
T number(std::span<const std::uint8_t> bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
        value |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
    return static_cast<T>(value);
}

/// What of a header goes along: nobody holds the copy.
Header travelling(Header header) {
    header.lease = {};
    return header;
}

/// A zstd stream into a file.
class Writer {
  public:
    Writer(int fd, std::string path)
        : fd_(fd), path_(std::move(path)), stream_(ZSTD_createCCtx(), ZSTD_freeCCtx) {
        ZSTD_CCtx_setParameter(stream_.get(), ZSTD_c_compressionLevel, compression_level);
        ZSTD_CCtx_setParameter(stream_.get(), ZSTD_c_checksumFlag, 1);
    }

    Result<void> put(std::span<const std::uint8_t> bytes, bool last = false) {
        ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
        while (true) {
            ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
            const auto left =
                ZSTD_compressStream2(stream_.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
            if (ZSTD_isError(left) != 0)
                return fail(Errc::internal, std::string("zstd: ") + ZSTD_getErrorName(left));
            BATON_TRY(write_fully(fd_, std::span(buffer_).first(out.pos), at_, path_));
            at_ += static_cast<std::int64_t>(out.pos);
            if (last ? left == 0 : in.pos == in.size)
                return {};
        }
    }

  private:
    int fd_;
    std::string path_;
    std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> stream_;
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(ZSTD_CStreamOutSize());
    std::int64_t at_ = 0;
};

/// A zstd stream out of a file.
class Reader {
  public:
    Reader(int fd, std::string path)
        : fd_(fd), path_(std::move(path)), stream_(ZSTD_createDCtx(), ZSTD_freeDCtx) {}

    /// Exactly that many bytes.
    Result<void> get(std::span<std::uint8_t> bytes) {
        ZSTD_outBuffer out{bytes.data(), bytes.size(), 0};
        while (out.pos < out.size) {
            if (ended_)
                return cut_short();
            BATON_TRY(decompress(out));
        }
        return {};
    }

    /// That nothing follows.
    Result<void> finish() {
        std::uint8_t more = 0;
        ZSTD_outBuffer out{&more, 1, 0};
        while (!ended_ && out.pos == 0)
            BATON_TRY(decompress(out));
        if (out.pos != 0 || in_.pos != in_.size || refill().value_or(true))
            return damaged("something follows its end");
        return {};
    }

    [[nodiscard]] tl::unexpected<Error> damaged(const std::string& why) const {
        return fail(Errc::corrupt, "the packed desk " + path_ + " is damaged: " + why,
                    "copy it again from where it came");
    }

  private:
    [[nodiscard]] tl::unexpected<Error> cut_short() const { return damaged("it is cut short"); }

    /// False: the file has ended.
    Result<bool> refill() {
        ssize_t n = 0;
        do
            n = ::read(fd_, buffer_.data(), buffer_.size());
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return fail_errno(errno, "cannot read the packed desk " + path_);
        in_ = {buffer_.data(), static_cast<std::size_t>(n), 0};
        return n > 0;
    }

    Result<void> decompress(ZSTD_outBuffer& out) {
        if (in_.pos == in_.size) {
            const auto more = refill();
            if (!more)
                return tl::unexpected(more.error());
            if (!*more)
                return cut_short();
        }
        const auto left = ZSTD_decompressStream(stream_.get(), &out, &in_);
        if (ZSTD_isError(left) != 0)
            return damaged(ZSTD_getErrorName(left));
        ended_ = left == 0;
        return {};
    }

    int fd_;
    std::string path_;
    std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> stream_;
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(ZSTD_DStreamInSize());
    ZSTD_inBuffer in_{nullptr, 0, 0};
    bool ended_ = false;
};

Result<Header> read_packed_header(Reader& reader) {
    std::array<std::uint8_t, 16 + slot_bytes> start{};
    BATON_TRY(reader.get(start));
    if (!std::equal(pack_magic.begin(), pack_magic.end(), start.begin()))
        return reader.damaged("it holds something else than a desk");
    if (const auto its = number<std::uint32_t>(std::span(start).subspan(8)); its != version)
        return fail(Errc::unsupported, "this packed desk is of version " + std::to_string(its),
                    "it was written by a newer Baton; use that one");
    const auto slot = std::span(start).subspan(16);
    auto parsed = parse_header(slot, slot);
    if (!parsed)
        return reader.damaged(parsed.error().what);
    return parsed->header;
}

/// The pieces and the hash behind them.
Result<Copied> read_pieces(Reader& reader, const Header& header, int to, const std::string& path) {
    ContentHash hash(header.size_bytes);
    std::vector<std::uint8_t> piece(piece_bytes);
    Copied copied{header, 0, {}};
    std::int64_t end = 0;
    while (true) {
        std::array<std::uint8_t, 12> record{};
        BATON_TRY(reader.get(record));
        const auto offset = number<std::int64_t>(std::span(record));
        const auto length = number<std::uint32_t>(std::span(record).subspan(8));
        if (length == 0 && offset == header.size_bytes)
            break;
        if (length == 0 || length > piece_bytes || offset < end ||
            offset > header.size_bytes - static_cast<std::int64_t>(length))
            return reader.damaged("a piece lies where none can be");
        BATON_TRY(reader.get(std::span(piece).first(length)));
        hash.add(offset, std::span(piece).first(length));
        BATON_TRY(write_fully(to, std::span(piece).first(length), data_offset + offset, path));
        end = offset + static_cast<std::int64_t>(length);
        copied.copied_bytes += static_cast<std::int64_t>(length);
    }
    std::string wanted(hash_bytes, '\0');
    std::array<std::uint8_t, hash_bytes> stored{};
    BATON_TRY(reader.get(stored));
    std::copy(stored.begin(), stored.end(), wanted.begin());
    const auto found = hash.finish();
    if (found != wanted)
        return reader.damaged("its content does not match its hash");
    copied.content_sha256 = hex(found);
    return copied;
}

} // namespace

Result<std::string> content_hash(const std::string& image) {
    auto opened = Image::open(image, Access::read);
    if (!opened)
        return tl::unexpected(opened.error());
    return hash_of(opened->fd(), opened->header().size_bytes, image);
}

Result<Copied> copy_image(const std::string& image, const std::string& to) {
    auto from = Image::open(image, Access::read);
    if (!from)
        return tl::unexpected(from.error());
    auto file = NewFile::create(to, data_offset + from->header().size_bytes);
    if (!file)
        return tl::unexpected(file.error());
    auto content = copy_content(*from, file->fd(), to);
    if (!content)
        return tl::unexpected(content.error());
    Copied copied{travelling(from->header()), content->bytes, content->sha256};
    BATON_TRY(write_first_header(file->fd(), copied.header, to));
    BATON_TRY(file->commit());
    return copied;
}

Result<Copied> pack(const std::string& image, const std::string& to) {
    auto from = Image::open(image, Access::read);
    if (!from)
        return tl::unexpected(from.error());
    return pack(*from, to);
}

Result<Copied> pack(const Image& from, const std::string& to) {
    auto file = NewFile::create(to, 0);
    if (!file)
        return tl::unexpected(file.error());
    Copied copied{travelling(from.header()), 0, {}};
    auto slot = encode_slot(copied.header, 1);
    if (!slot)
        return tl::unexpected(slot.error());
    Writer writer(file->fd(), to);
    std::vector<std::uint8_t> record(pack_magic.begin(), pack_magic.end());
    append(record, version);
    append(record, std::uint32_t{0});
    record.insert(record.end(), slot->begin(), slot->end());
    BATON_TRY(writer.put(record));
    ContentHash hash(copied.header.size_bytes);
    const auto packed =
        each_piece(from.fd(), copied.header.size_bytes, from.path(),
                   [&](std::int64_t offset, std::span<const std::uint8_t> piece) -> Result<void> {
                       hash.add(offset, piece);
                       copied.copied_bytes += static_cast<std::int64_t>(piece.size());
                       record.clear();
                       append(record, offset);
                       append(record, static_cast<std::uint32_t>(piece.size()));
                       BATON_TRY(writer.put(record));
                       return writer.put(piece);
                   });
    if (!packed)
        return tl::unexpected(packed.error());
    const auto digest = hash.finish();
    record.clear();
    append(record, copied.header.size_bytes);
    append(record, std::uint32_t{0});
    record.insert(record.end(), digest.begin(), digest.end());
    BATON_TRY(writer.put(record, true));
    copied.content_sha256 = hex(digest);
    BATON_TRY(file->commit());
    return copied;
}

Result<Header> packed_header(const std::string& packed) {
    const process::Descriptor from(::open(packed.c_str(), O_RDONLY | O_CLOEXEC));
    if (!from.open())
        return fail_errno(errno, "cannot open the packed desk " + packed);
    Reader reader(from.get(), packed);
    return read_packed_header(reader);
}

Result<Copied> unpack(const std::string& packed, const std::string& to) {
    const process::Descriptor from(::open(packed.c_str(), O_RDONLY | O_CLOEXEC));
    if (!from.open())
        return fail_errno(errno, "cannot open the packed desk " + packed);
    Reader reader(from.get(), packed);
    auto header = read_packed_header(reader);
    if (!header)
        return tl::unexpected(header.error());
    auto file = NewFile::create(to, data_offset + header->size_bytes);
    if (!file)
        return tl::unexpected(file.error());
    auto copied = read_pieces(reader, travelling(*header), file->fd(), to);
    if (!copied)
        return copied;
    BATON_TRY(reader.finish());
    BATON_TRY(write_first_header(file->fd(), copied->header, to));
    BATON_TRY(file->commit());
    return copied;
}

bool looks_packed(const std::string& path) {
    const process::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<std::uint8_t, 4> start{};
    return file.open() && ::read(file.get(), start.data(), start.size()) == 4 &&
           start == zstd_magic;
}

} // namespace baton::desk
