#include "net/descriptor.h"
#include "net/digest.h"
#include "net/pki.h"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::net {

namespace {

constexpr std::int64_t small_file_limit = 1024 * 1024;

Result<void> write_all(int descriptor, const std::string& content, const std::string& path) {
    std::size_t written = 0;
    while (written < content.size()) {
        const auto now = ::write(descriptor, content.data() + written, content.size() - written);
        if (now < 0 && errno != EINTR)
            return fail_errno(errno, "cannot write " + path, "is there space left?");
        if (now > 0)
            written += static_cast<std::size_t>(now);
    }
    if (::fsync(descriptor) != 0)
        return fail_errno(errno, "cannot write " + path, "is there space left?");
    return {};
}

Result<void> make_private_folder(const std::string& folder) {
    std::error_code error;
    const auto parent = std::filesystem::path(folder).parent_path();
    if (!parent.empty())
        std::filesystem::create_directories(parent, error);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
        return fail_errno(errno, "cannot make the folder " + folder);
    return {};
}

/// Does this certificate still say what is ordered, for long enough?
bool good(const Authority& authority, const std::string& pem, const CertificateOrder& order,
          WallTime now) {
    const auto info = inspect_certificate(pem);
    return info && authority.issued(pem) && info->common_name == order.common_name &&
           std::set(info->names.begin(), info->names.end()) ==
               std::set(order.names.begin(), order.names.end()) &&
           info->server == order.server && info->client == order.client &&
           info->not_before <= now && info->not_after >= now + certificate_renewal;
}

} // namespace

Result<void> write_private_file(const std::string& path, const std::string& content) {
    const std::string fresh = path + "." + random_hex(6) + ".new";
    {
        const Descriptor file(
            ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (file.get() < 0)
            return fail_errno(errno, "cannot write " + path);
        if (auto written = write_all(file.get(), content, path); !written) {
            ::unlink(fresh.c_str());
            return written;
        }
    }
    if (::rename(fresh.c_str(), path.c_str()) != 0) {
        const int why = errno;
        ::unlink(fresh.c_str());
        return fail_errno(why, "cannot write " + path);
    }
    // The rename itself must survive a power cut.
    const auto slash = path.find_last_of('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const Descriptor parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent.get() < 0 || ::fsync(parent.get()) != 0)
        return fail_errno(errno, "cannot write " + path);
    return {};
}

Result<std::string> read_small_file(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info{};
    if (file.get() < 0 || ::fstat(file.get(), &info) != 0)
        return fail_errno(errno, "cannot read " + path);
    if (!S_ISREG(info.st_mode) || info.st_size > small_file_limit)
        return fail(Errc::corrupt, path + " is no file, or larger than 1 MiB");
    std::string content(static_cast<std::size_t>(info.st_size), '\0');
    std::size_t have = 0;
    while (have < content.size()) {
        const auto got = ::read(file.get(), content.data() + have, content.size() - have);
        if (got < 0 && errno != EINTR)
            return fail_errno(errno, "cannot read " + path);
        if (got == 0)
            break;
        if (got > 0)
            have += static_cast<std::size_t>(got);
    }
    content.resize(have);
    return content;
}

Result<Authority> open_authority(const std::string& folder, const std::string& common_name,
                                 WallTime now) {
    const std::string certificate_path = folder + "/ca-cert.pem";
    const std::string key_path = folder + "/ca-key.pem";
    const auto certificate = read_small_file(certificate_path);
    const auto key = read_small_file(key_path);
    // The key is written first: a certificate that is there has its key, or somebody removed it.
    if (certificate && key) {
        auto authority = Authority::from_pem(*certificate, *key);
        if (!authority)
            return tl::unexpected(authority.error().in(folder));
        return authority;
    }
    if (certificate)
        return fail(key.error().code,
                    "the CA's certificate is in " + folder +
                        ", but its key is not to be read: " + key.error().what,
                    "restore ca-key.pem from a backup");
    if (certificate.error().code != Errc::not_found)
        return tl::unexpected(certificate.error());
    BATON_TRY(make_private_folder(folder));
    auto authority = Authority::create(common_name, now);
    if (!authority)
        return authority;
    BATON_TRY(write_private_file(key_path, authority->key_pem()));
    BATON_TRY(write_private_file(certificate_path, authority->certificate_pem()));
    return authority;
}

Result<bool> keep_certificate(const Authority& authority, const std::string& folder,
                              const std::string& role, const CertificateOrder& order,
                              WallTime now) {
    BATON_TRY(make_private_folder(folder));
    const std::string authority_path = folder + "/ca-cert.pem";
    const std::string certificate_path = folder + "/" + role + "-cert.pem";
    const std::string key_path = folder + "/" + role + "-key.pem";
    if (const auto there = read_small_file(authority_path);
        !there || *there != authority.certificate_pem())
        BATON_TRY(write_private_file(authority_path, authority.certificate_pem()));
    const auto certificate = read_small_file(certificate_path);
    const auto key = read_small_file(key_path);
    if (certificate && key && good(authority, *certificate, order, now))
        return false;
    if (certificate && key && check_certificate(*certificate, *key, authority.certificate_pem())) {
        const auto request = make_signing_request(order.common_name, *key);
        if (!request)
            return tl::unexpected(request.error());
        const auto renewed = authority.sign(*request, order, now);
        if (!renewed)
            return tl::unexpected(renewed.error());
        BATON_TRY(write_private_file(certificate_path, *renewed));
        return true;
    }
    const auto issued = authority.issue(order, now);
    if (!issued)
        return tl::unexpected(issued.error());
    // Died between the two: the pair does not match, and the certificate is gone, so that the next
    // start makes both anew.
    ::unlink(certificate_path.c_str());
    BATON_TRY(write_private_file(key_path, issued->key_pem));
    BATON_TRY(write_private_file(certificate_path, issued->certificate_pem));
    return true;
}

} // namespace baton::net
