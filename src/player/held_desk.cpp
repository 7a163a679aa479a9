#include "player/held_desk.h"

#include "player/known_desks.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <unistd.h>

namespace baton::player {

namespace {

std::string day_and_time(WallTime time) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
    std::tm local{};
    std::array<char, 32> text{};
    const std::time_t value = seconds;
    ::localtime_r(&value, &local);
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M", &local);
    return text.data();
}

/// e2fsck, in its sandbox. A journal that was not replayed is replayed there, not in the kernel.
Result<void> look_over(desk::Image& image, const HoldOrder& order) {
    auto report = desk::check(image, desk::CheckOrder{});
    if (report && report->verdict == desk::Verdict::unsettled) {
        report = desk::check(image, desk::CheckOrder{.repair = true});
        if (report)
            order.note("the desk was not closed in order the last time; its journal was replayed");
    }
    if (!report)
        return tl::unexpected(report.error());
    if (report->verdict != desk::Verdict::damaged)
        return {};
    const auto reason = report->findings.empty() ? std::string() : ": " + report->findings.front();
    return fail(Errc::corrupt, "the desk image " + order.path + " is damaged" + reason,
                "see all of it with: baton desk check " + order.path +
                    "; mend it with --repair, or take it from a backup");
}

/// Whose desk it is, when no header says so: the one who has a home in it.
Result<void> find_owner(desk::Image& image, const std::string& path) {
    const auto homes = desk::list_files(image, "/fwd/home");
    if (!homes)
        return tl::unexpected(homes.error());
    auto header = image.header();
    for (const auto& one : *homes)
        if (one.kind == "folder" && check_name("owner", one.name)) {
            if (!header.owner.empty())
                return fail(Errc::corrupt, "the desk " + path + " has more than one home",
                            "look into it: baton desk show ./FILE --files /fwd/home");
            header.owner = one.name;
        }
    if (header.owner.empty())
        return fail(Errc::corrupt, "the desk " + path + " is nobody's: it has no home");
    return image.change(header);
}

} // namespace

std::string holder_name(const std::string& host_name, const std::string& machine_id) {
    std::string name;
    for (char c : host_name.substr(0, host_name.find('.'))) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && !name.empty()))
            name += c;
    }
    name = name.empty() ? "pc" : name.substr(0, 50);
    if (machine_id.empty())
        return name;
    // not the machine-id itself: who has a desk in hand need not learn it
    const std::string salted = "baton-play " + machine_id;
    std::array<unsigned char, 32> digest{};
    EVP_Digest(salted.data(), salted.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    name += '-';
    for (std::size_t i = 0; i < 4; ++i) {
        constexpr std::string_view digits = "0123456789abcdef";
        name += digits[digest.at(i) >> 4];
        name += digits[digest.at(i) & 15];
    }
    return name;
}

std::string holder_name() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    std::ifstream file("/etc/machine-id");
    std::string machine_id;
    std::getline(file, machine_id);
    return holder_name(host.data(), machine_id);
}

Result<void> may_take(const desk::Header& header, const std::string& holder, bool break_lease,
                      const std::string& path) {
    if (header.state == desk::State::damaged)
        return fail(Errc::corrupt, "the desk image " + path + " was found damaged",
                    "mend it with: baton desk check --repair " + path);
    if (header.checked_out && !break_lease)
        return fail(Errc::refused,
                    "the desk of " + header.owner + " was taken away to " + header.checked_out->to +
                        " on " + day_and_time(header.checked_out->since) +
                        "; this copy stayed behind",
                    "bring it back with: baton desk checkin; --break-lease opens this copy all the "
                    "same, and the two grow apart");
    const auto& lease = header.lease;
    const bool ours = lease.kind == desk::HolderKind::player && lease.holder == holder;
    if (lease.kind == desk::HolderKind::none || ours || break_lease)
        return {};
    return fail(Errc::busy,
                "the desk of " + header.owner + " is open on " +
                    (lease.kind == desk::HolderKind::host ? "the host " : "the PC ") +
                    lease.holder + " since " + day_and_time(lease.since),
                "close it there; if that machine is gone for good: --break-lease");
}

Result<HeldDesk> HeldDesk::open(const HoldOrder& order) {
    HeldDesk held;
    held.order_ = order;
    auto image = order.without_header ? desk::Image::without_header(order.path, desk::Access::write)
                                      : desk::Image::open(order.path, desk::Access::write);
    if (!image && image.error().code == Errc::busy) {
        // who it is says the lease
        const auto seen = desk::Image::open(order.path, desk::Access::look);
        if (seen && seen->header().lease.kind != desk::HolderKind::none)
            return fail(Errc::busy,
                        image.error().what + ": it is open on " + seen->header().lease.holder +
                            " since " + day_and_time(seen->header().lease.since),
                        image.error().hint);
    }
    if (!image)
        return tl::unexpected(image.error());
    held.image_ = std::move(*image);
    BATON_TRY(may_take(held.header(), order.holder, order.break_lease, order.path));
    if (held.header().lease.kind != desk::HolderKind::none)
        order.note(held.header().lease.holder == order.holder
                       ? "the last player on this PC did not end in order; the desk is taken over"
                       : "the lease of " + held.header().lease.holder + " is broken");
    held.known_ = is_known(order.remember, held.header().id, fingerprint(held.image_->fd()));
    if (!held.known_)
        BATON_TRY(look_over(*held.image_, order));
    if (order.without_header)
        BATON_TRY(find_owner(*held.image_, order.path));
    auto waiting = held.image_->another();
    if (!waiting)
        return tl::unexpected(waiting.error());
    held.waiting_ = std::move(*waiting);
    held.backing_ = Backing::of(held.image_->fd(), order.path);
    return held;
}

Result<LoopDevice> HeldDesk::attach() {
    return attach_loop(image_->fd(), image_->content_offset(), header().size_bytes, false,
                       order_.path);
}

Result<void> HeldDesk::take_lease() {
    auto header = image_->header();
    header.largest_fence = header.largest_fence.next();
    header.lease = {desk::HolderKind::player, order_.holder, header.largest_fence,
                    desk::wall_now()};
    if (header.checked_out) {
        // against the mark: from here on the one that is away is another desk's copy
        header.checked_out.reset();
        header.journey.clear();
    }
    ++header.generation;
    lease_ = header.lease;
    return image_->change(header);
}

Result<void> HeldDesk::give_back(std::chrono::milliseconds deadline) {
    const auto id = header().id;
    const bool header_here = image_->content_offset() != 0;
    image_.reset();
    if (lease_.kind == desk::HolderKind::none)
        return {}; // it was never taken
    if (backing_)
        BATON_TRY(backing_->look());
    if (!header_here) {
        BATON_TRY(desk::Image::wait_until_free(waiting_, order_.path, deadline));
        if (::fdatasync(waiting_.get()) != 0)
            return fail_errno(errno, "cannot make the desk durable at its server");
        return {};
    }
    auto image = desk::Image::wait_for_others(std::move(waiting_), order_.path, desk::Access::write,
                                              deadline);
    if (!image)
        return tl::unexpected(image.error().in("closing the desk"));
    auto header = image->header();
    if (header.lease != lease_)
        return fail(Errc::conflict, "somebody else took the desk while it was being closed",
                    "see who: baton desk show " + order_.path);
    BATON_TRY(image->sync());
    const auto superblock = image->superblock();
    header.lease = {};
    BATON_TRY(image->change(header));
    const bool in_order =
        superblock && superblock->clean && !superblock->needs_recovery && !superblock->has_errors;
    remember(order_.remember, id, in_order ? fingerprint(image->fd()) : "");
    return {};
}

} // namespace baton::player
