// Copies of desks: as image files and packed; what is damaged on the way is never taken.
#include "desk/check.h"
#include "desk/create.h"
#include "desk/image.h"
#include "desk/pack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>
#include <zstd.h>

namespace baton::desk {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class DeskPack : public testing::Test {
  protected:
    DeskPack() {
        std::string name = (fs::temp_directory_path() / "baton-pack-test-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        image_ = path("kim.desk");
        CreateOrder order{image_, "kim", default_size.bytes(), 1000, 1000, ""};
        EXPECT_TRUE(create(order));
        // something far behind, across two pieces, and its last bytes
        poke(20_GiB, "far away");
        poke(Mebibytes(21), std::string(100'000, 'x'));
        const int fd = ::open(image_.c_str(), O_WRONLY | O_CLOEXEC);
        EXPECT_EQ(::pwrite(fd, "end", 3, data_offset + default_size.bytes() - 3), 3);
        ::close(fd);
        auto image = Image::open(image_, Access::write).value();
        auto header = image.header();
        header.largest_fence = FencingNumber{4};
        header.lease = {HolderKind::host, "host1", FencingNumber{4}, wall_now()};
        header.generation = 9;
        EXPECT_TRUE(image.change(header));
    }

    ~DeskPack() override { fs::remove_all(folder_); }

    [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

    void poke(Mebibytes offset, const std::string& bytes) const {
        const int fd = ::open(image_.c_str(), O_WRONLY | O_CLOEXEC);
        EXPECT_EQ(::pwrite(fd, bytes.data(), bytes.size(), data_offset + offset.bytes()),
                  static_cast<ssize_t>(bytes.size()));
        ::close(fd);
    }

    static std::string content(const std::string& file) {
        std::ifstream stream(file, std::ios::binary);
        return {std::istreambuf_iterator<char>(stream), {}};
    }

    static void put(const std::string& file, const std::string& bytes) {
        std::ofstream(file, std::ios::binary) << bytes;
    }

    std::size_t files() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {}));
    }

    std::string folder_;
    std::string image_;
};

TEST_F(DeskPack, APackedDeskComesOutAsItWas) {
    const auto hash = content_hash(image_).value();
    const auto packed = pack(image_, path("kim.desk.zst"));
    ASSERT_TRUE(packed) << packed.error().message();
    EXPECT_EQ(packed->content_sha256, hash);
    EXPECT_TRUE(looks_packed(path("kim.desk.zst")));
    EXPECT_FALSE(looks_packed(image_));
    EXPECT_LT(fs::file_size(path("kim.desk.zst")), 2U * 1024 * 1024);

    const auto out = unpack(path("kim.desk.zst"), path("again.desk"));
    ASSERT_TRUE(out) << out.error().message();
    EXPECT_EQ(out->content_sha256, hash);
    EXPECT_EQ(content_hash(path("again.desk")).value(), hash);
    const auto image = Image::open(path("again.desk"), Access::look).value();
    EXPECT_EQ(image.header().generation, 9U);
    EXPECT_EQ(image.header().lease, Lease{}) << "nobody holds a copy";
    EXPECT_LT(image.allocated_bytes().value(), (16_MiB).bytes()) << "sparse";
    EXPECT_EQ(unpack(path("kim.desk.zst"), path("again.desk")).error().code, Errc::already_exists);
}

TEST_F(DeskPack, ACopyIsSparseAndTheSame) {
    const auto copied = copy_image(image_, path("copy.desk"));
    ASSERT_TRUE(copied) << copied.error().message();
    EXPECT_EQ(copied->content_sha256, content_hash(image_).value());
    EXPECT_EQ(content_hash(path("copy.desk")).value(), copied->content_sha256);
    const auto image = Image::open(path("copy.desk"), Access::look).value();
    EXPECT_LT(image.allocated_bytes().value(), (16_MiB).bytes());
    EXPECT_EQ(fs::file_size(path("copy.desk")), fs::file_size(image_));
    EXPECT_EQ(copy_image(image_, path("copy.desk")).error().code, Errc::already_exists);
    EXPECT_EQ(copy_image(image_, path("no/such/copy.desk")).error().code, Errc::not_found);
}

TEST_F(DeskPack, TheContentHashSeesEveryByteAndNoHole) {
    const auto before = content_hash(image_).value();
    poke(25_GiB, std::string(200'000, '\0')); // zeros where there was a hole
    EXPECT_EQ(content_hash(image_).value(), before);
    poke(25_GiB, "y");
    EXPECT_NE(content_hash(image_).value(), before);
}

TEST_F(DeskPack, WhatIsCutShortOrChangedIsNamedAndNotTaken) {
    const auto packed = path("kim.desk.zst");
    ASSERT_TRUE(pack(image_, packed));
    const auto whole = content(packed);
    const auto before = files();
    const auto refused = [&](const std::string& bytes) {
        put(path("bad.zst"), bytes);
        const auto out = unpack(path("bad.zst"), path("bad.desk"));
        EXPECT_FALSE(out);
        if (!out) {
            EXPECT_EQ(out.error().code, Errc::corrupt) << out.error().message();
            EXPECT_THAT(out.error().what, HasSubstr("bad.zst"));
        }
        EXPECT_EQ(files(), before + 1) << "nothing half-made is left";
    };
    for (const std::size_t length : {std::size_t{0}, std::size_t{3}, std::size_t{100},
                                     whole.size() / 2, whole.size() - 5, whole.size() - 1})
        refused(whole.substr(0, length));
    refused(whole + "x");
    refused(whole + whole);
    refused("not packed at all");
}

TEST_F(DeskPack, AChangedBitIsNamedOrChangesNothing) {
    const auto packed = path("kim.desk.zst");
    ASSERT_TRUE(pack(image_, packed));
    const auto hash = content_hash(image_).value();
    const auto header = Image::open(image_, Access::look)->header();
    const auto whole = content(packed);
    constexpr std::size_t changes = 40;
    std::size_t refused = 0;
    for (std::size_t i = 1; i <= changes; ++i) {
        auto changed = whole;
        const auto at = i * (whole.size() - 1) / changes;
        changed[at] ^= static_cast<char>(1U << (i % 8));
        put(path("bad.zst"), changed);
        const auto before = files();
        const auto out = unpack(path("bad.zst"), path("bad.desk"));
        if (out) { // zstd's format has bits that mean nothing (RFC 8878, 3.1.1.1.1.3)
            EXPECT_EQ(content_hash(path("bad.desk")).value(), hash) << "byte " << at;
            EXPECT_EQ(Image::open(path("bad.desk"), Access::look)->header().id, header.id);
            fs::remove(path("bad.desk"));
            continue;
        }
        ++refused;
        EXPECT_EQ(out.error().code, Errc::corrupt) << out.error().message();
        EXPECT_THAT(out.error().what, HasSubstr("bad.zst"));
        EXPECT_EQ(files(), before) << "nothing half-made is left";
    }
    EXPECT_GE(refused, changes - 4);
}

/// A packed desk that a stranger made: valid zstd, hostile inside.
TEST_F(DeskPack, APieceOutsideTheDeskIsRefused) {
    auto header = Image::open(image_, Access::look).value().header();
    header.lease = {};
    const auto bytes = encode_slot(header, 1).value();
    const auto packed_with = [&](std::uint64_t offset, std::uint32_t length) {
        std::string stream("BATONPCK\1\0\0\0\0\0\0\0", 16);
        stream.append(bytes.begin(), bytes.end());
        for (unsigned i = 0; i < 8; ++i)
            stream.push_back(static_cast<char>(offset >> (8 * i)));
        for (unsigned i = 0; i < 4; ++i)
            stream.push_back(static_cast<char>(length >> (8 * i)));
        stream.append(70'000, 'z');
        std::string out(ZSTD_compressBound(stream.size()), '\0');
        out.resize(ZSTD_compress(out.data(), out.size(), stream.data(), stream.size(), 1));
        put(path("evil.zst"), out);
        return unpack(path("evil.zst"), path("evil.desk"));
    };
    const auto size = static_cast<std::uint64_t>(header.size_bytes);
    for (const auto& [offset, length] :
         std::vector<std::pair<std::uint64_t, std::uint32_t>>{{size, 4096},
                                                              {size - 1, 2},
                                                              {~0ULL - 4096, 4096},
                                                              {1ULL << 63, 4096},
                                                              {0, 65'537},
                                                              {0, 0xffffffffU},
                                                              {5, 0}}) {
        const auto out = packed_with(offset, length);
        ASSERT_FALSE(out) << offset;
        EXPECT_EQ(out.error().code, Errc::corrupt);
        EXPECT_THAT(out.error().what, HasSubstr("a piece lies where none can be"));
    }
    EXPECT_FALSE(fs::exists(path("evil.desk")));
}

TEST_F(DeskPack, ADeskInUseIsNotCopied) {
    const auto held = Image::open(image_, Access::write).value();
    EXPECT_EQ(pack(image_, path("p")).error().code, Errc::busy);
    EXPECT_EQ(copy_image(image_, path("c")).error().code, Errc::busy);
    EXPECT_EQ(content_hash(image_).error().code, Errc::busy);
    EXPECT_EQ(files(), 1U);
}

} // namespace
} // namespace baton::desk
