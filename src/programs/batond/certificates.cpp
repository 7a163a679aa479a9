#include "programs/batond/certificates.h"

#include "gatelink/protocol.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <map>

namespace baton::controller {

namespace {

/// Far more often than anything ends: by the time that a jump of the wall clock costs.
constexpr std::chrono::hours between_checks{1};
constexpr std::chrono::hours between_warnings{24};

std::string date(WallTime time) {
    return fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

/// The key in the store's settings under which a host's certificate has its end, in milliseconds of
/// Unix time.
std::string end_of(const std::string& sha256) {
    return "certificate_ends." + sha256;
}

std::string warned_of(const HostId& host) {
    return "certificate_warned." + host.value;
}

Result<WallTime> time_in(store::Store& store, const std::string& key) {
    const auto text = store.setting(key);
    if (!text)
        return tl::unexpected(text.error());
    std::int64_t count = 0;
    if (*text)
        std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), count);
    return WallTime(std::chrono::milliseconds(count));
}

std::pair<std::string, std::string> written(std::string key, WallTime time) {
    return {std::move(key), std::to_string(time.time_since_epoch().count())};
}

std::string how_it_stands(const HostId& host, WallTime end, WallTime now) {
    const auto days = std::chrono::duration_cast<std::chrono::hours>(end - now).count() / 24;
    return end < now ? fmt::format("The certificate of {} has ended on {}: it cannot link to the "
                                   "controller again. Let it join anew.",
                                   host.value, date(end))
                     : fmt::format("The certificate of {} ends on {}, in {} days: let it join anew "
                                   "before (docs/install.md).",
                                   host.value, date(end), days);
}

} // namespace

struct CertificateKeeper::Self : std::enable_shared_from_this<CertificateKeeper::Self> {
    Self(net::Authority authority_in, std::string folder_in, std::vector<SiteCertificate> wanted_in,
         Doors doors_in)
        : authority(std::move(authority_in)),
          folder(std::move(folder_in)),
          wanted(std::move(wanted_in)),
          doors(std::move(doors_in)) {}

    void check();
    void renew(store::Change& change);
    void warn(store::Change& change);
    Result<void> warn(store::Change& change, const store::HostRow& host) const;
    Result<bool> keep(const SiteCertificate& one) const;
    [[nodiscard]] std::string path(const SiteCertificate& one) const;
    /// Logs an error of `what`, but not more than once a day.
    void complain(const std::string& what, const Error& error);
    store::EventRow event(std::string kind, std::string subject, std::string text,
                          WallTime end) const;

    net::Authority authority;
    std::string folder;
    std::vector<SiteCertificate> wanted;
    Doors doors;
    std::map<std::string, std::chrono::nanoseconds> complained; ///< of what, and when (monotonic)
};

store::EventRow CertificateKeeper::Self::event(std::string kind, std::string subject,
                                               std::string text, WallTime end) const {
    store::EventRow row;
    row.at = doors.clock.wall();
    row.kind = std::move(kind);
    row.subject = std::move(subject);
    row.text = std::move(text);
    row.data_json = boost::json::serialize(
        boost::json::object{{"not_after_ms", end.time_since_epoch().count()}});
    return row;
}

std::string CertificateKeeper::Self::path(const SiteCertificate& one) const {
    return fmt::format("{}/{}/{}-cert.pem", folder, one.part, one.role);
}

Result<bool> CertificateKeeper::Self::keep(const SiteCertificate& one) const {
    return net::keep_certificate(authority, folder + "/" + one.part, one.role, one.order,
                                 doors.clock.wall());
}

void CertificateKeeper::Self::complain(const std::string& what, const Error& error) {
    const auto now = doors.clock.monotonic();
    const auto last = complained.find(what);
    if (last != complained.end() && now < last->second + between_warnings)
        return;
    complained[what] = now;
    doors.log(error.in(what));
}

Result<void> CertificateKeeper::Self::warn(store::Change& change,
                                           const store::HostRow& host) const {
    const auto now = doors.clock.wall();
    const auto end = time_in(doors.store, end_of(host.certificate_sha256));
    const auto warned = time_in(doors.store, warned_of(host.id));
    if (!end || !warned)
        return tl::unexpected(!end ? end.error() : warned.error());
    // 0: it joined before ends were written down. Just warned: batond was started again.
    if (*end == WallTime{} || *end >= now + warned_before ||
        (*warned <= now && now < *warned + between_warnings))
        return {};
    change.events.push_back(
        event("host.certificate_expires", host.id.value, how_it_stands(host.id, *end, now), *end));
    change.settings.push_back(written(warned_of(host.id), now));
    return {};
}

void CertificateKeeper::Self::renew(store::Change& change) {
    for (const auto& one : wanted) {
        const std::string what = "renewing " + path(one);
        const auto fresh = keep(one);
        if (!fresh) {
            complain(what, fresh.error());
            continue;
        }
        complained.erase(what);
        if (!*fresh)
            continue;
        const auto end = doors.clock.wall() + net::certificate_life;
        change.events.push_back(
            event("certificate.renewed", path(one),
                  fmt::format("Renewed {}: it is good until {}.", path(one), date(end)), end));
    }
}

void CertificateKeeper::Self::warn(store::Change& change) {
    const auto hosts = doors.store.hosts();
    if (!hosts)
        return complain("looking at the hosts' certificates", hosts.error());
    for (const auto& host : *hosts)
        if (const auto done = host.joined ? warn(change, host) : Result<void>{}; !done)
            complain("looking at the certificate of " + host.id.value, done.error());
}

void CertificateKeeper::Self::check() {
    doors.clock.after(between_checks, [weak = weak_from_this()] {
        if (const auto self = weak.lock())
            self->check();
    });
    store::Change change;
    renew(change);
    warn(change);
    if (change.events.empty())
        return;
    if (const auto told = doors.store.commit(change); !told)
        return complain("telling of certificates", told.error());
    doors.events_grew();
}

CertificateKeeper::CertificateKeeper(net::Authority authority, std::string folder,
                                     std::vector<SiteCertificate> wanted, Doors doors)
    : self_(std::make_shared<Self>(std::move(authority), std::move(folder), std::move(wanted),
                                   std::move(doors))) {}

Result<std::vector<std::string>> CertificateKeeper::keep() {
    std::vector<std::string> fresh;
    for (const auto& one : self_->wanted) {
        const auto kept = self_->keep(one);
        if (!kept)
            return tl::unexpected(kept.error());
        if (*kept)
            fresh.push_back(self_->path(one));
    }
    return fresh;
}

void CertificateKeeper::begin() {
    self_->check();
}

Result<std::string> CertificateKeeper::sign_host(const HostId& host, const std::string& csr_pem) {
    net::CertificateOrder order;
    order.common_name = host.value;
    order.names = {host.value};
    order.client = true;
    order.server = true; // live migration between hosts, and screens over TLS
    return sign(order, csr_pem);
}

Result<std::string> CertificateKeeper::sign_gateway(const GatewayId& gateway,
                                                    const std::string& address,
                                                    const std::string& csr_pem) {
    net::CertificateOrder order;
    order.common_name = std::string(gatelink::certificate_prefix) + gateway.value;
    order.names = {address}; // what viewers look for
    order.client = true;
    order.server = true;
    return sign(order, csr_pem);
}

Result<std::string> CertificateKeeper::sign(const net::CertificateOrder& order,
                                            const std::string& csr_pem) {
    auto certificate = self_->authority.sign(csr_pem, order, self_->doors.clock.wall());
    if (!certificate)
        return certificate;
    const auto info = net::inspect_certificate(*certificate);
    if (!info)
        return tl::unexpected(info.error());
    store::Change change;
    change.settings.push_back(written(end_of(info->sha256), info->not_after));
    BATON_TRY(self_->doors.store.commit(change));
    return certificate;
}

const net::Authority& CertificateKeeper::authority() const {
    return self_->authority;
}

} // namespace baton::controller
