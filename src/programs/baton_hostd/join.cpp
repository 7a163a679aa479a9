#include "net/join.h"

#include "net/http_text.h"
#include "net/pki.h"
#include "programs/baton_hostd/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::hostd {

namespace {

/// QEMU reads these files as its own user when it opens a desk; on Debian that is libvirt-qemu.
Result<void> let_qemu_read(const std::string& folder) {
    const auto* group = ::getgrnam("libvirt-qemu"); // NOLINT(concurrency-mt-unsafe): one thread
    if (group == nullptr || ::geteuid() != 0)
        return {};
    if (::chown(folder.c_str(), 0, group->gr_gid) != 0 || ::chmod(folder.c_str(), 0750) != 0)
        return fail_errno(errno, "cannot let QEMU into " + folder);
    for (const auto* file : {"/ca-cert.pem", "/client-cert.pem", "/client-key.pem"}) {
        const auto path = folder + file;
        if (::chown(path.c_str(), 0, group->gr_gid) != 0 || ::chmod(path.c_str(), 0640) != 0)
            return fail_errno(errno, "cannot let QEMU read " + path);
    }
    return {};
}

} // namespace

Result<void> join(const JoinOptions& options) {
    const auto token = net::read_join_token(options.token, options.controller);
    if (!token)
        return tl::unexpected(token.error());
    const auto where = net::parse_where(token->controller);
    if (!where)
        return tl::unexpected(where.error());
    auto name = options.name.empty() ? own_name() : Result<std::string>(options.name);
    if (!name)
        return tl::unexpected(name.error());
    BATON_TRY(check_name("host name", *name));
    const auto folder = pki_folder(options.state_directory);
    if (const auto before = net::inspect_certificate_file(folder + "/client-cert.pem");
        before && !options.replace)
        return fail(
            Errc::already_exists,
            fmt::format("this host has joined already, as '{}' ({})", before->common_name, folder),
            "join anew with --replace");
    const auto address = options.address.empty() ? address_towards(where->host, where->port)
                                                 : Result<std::string>(options.address);
    if (!address)
        return tl::unexpected(address.error());
    const auto memory = options.memory ? Result<Mebibytes>(*options.memory) : physical_memory();
    if (!memory)
        return tl::unexpected(memory.error());
    BATON_TRY(net::join_site({*token,
                              "/v1/hosts/join",
                              *name,
                              *name,
                              {{"address", *address}, {"memory_mib", memory->count}},
                              folder}));
    BATON_TRY(let_qemu_read(folder));
    fmt::print("'{}' has joined {}; its certificate is in {}.\n"
               "For desks over TLS, QEMU needs to find it: in /etc/libvirt/qemu.conf set\n"
               "    nbd_tls_x509_cert_dir = \"{}\"\n"
               "and restart libvirtd. Then start: baton-hostd run --config /etc/baton/hostd.toml\n",
               *name, token->controller, folder, folder);
    return {};
}

} // namespace baton::hostd
