#include "sampling/kept_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace baton::sampling {

namespace {

tl::unexpected<Error> fail_reading(int native) {
    if (native == ESRCH) // its process has ended
        return fail(Errc::not_found, "the process has ended", {}, native);
    return fail_errno(native, "cannot read a file of /proc");
}

} // namespace

Result<KeptFile> KeptFile::open(const std::string& path) {
    KeptFile file;
    file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file.descriptor_ < 0) {
        if (errno == EMFILE || errno == ENFILE)
            return fail(Errc::full, "no more files can be opened", "raise LimitNOFILE", errno);
        return fail_errno(errno, "cannot open " + path);
    }
    return file;
}

KeptFile::~KeptFile() {
    if (descriptor_ >= 0)
        ::close(descriptor_);
}

Result<std::string_view> KeptFile::read(ReadBuffer& buffer) const {
    auto& bytes = buffer.bytes();
    std::size_t size = 0;
    while (true) {
        if (size == bytes.size()) {
            if (size >= ReadBuffer::limit)
                return fail(Errc::corrupt, "a file of /proc is larger than any should be");
            bytes.resize(size * 2);
        }
        const ssize_t got = ::pread(descriptor_, bytes.data() + size, bytes.size() - size,
                                    static_cast<off_t>(size));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_reading(errno);
        if (got == 0)
            return std::string_view(bytes.data(), size);
        size += static_cast<std::size_t>(got);
    }
}

Result<std::string_view> KeptFile::read_line(ReadBuffer& buffer) const {
    auto& bytes = buffer.bytes();
    while (true) {
        const ssize_t got = ::pread(descriptor_, bytes.data(), bytes.size(), 0);
        if (got >= 0)
            return std::string_view(bytes.data(), static_cast<std::size_t>(got));
        if (errno != EINTR)
            return fail_reading(errno);
    }
}

Result<std::string> read_file(const std::string& path) {
    const auto file = KeptFile::open(path);
    if (!file)
        return tl::unexpected(file.error());
    ReadBuffer buffer;
    const auto text = file->read(buffer);
    if (!text)
        return tl::unexpected(text.error());
    return std::string(*text);
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace baton::sampling
