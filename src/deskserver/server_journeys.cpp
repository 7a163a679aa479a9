#include "desk/image.h"
#include "deskserver/server_parts.h"

/// Managed desks that are taken away on a stick and brought back: desk/copies.h behind the one
/// door.
namespace baton::deskserver {

namespace {

/// An earlier call brought this copy back, and its answer was lost.
bool may_be_back(const desk::Header& copy, const desk::Header& home) {
    return copy.id == home.id && !home.checked_out && !copy.checked_out &&
           home.generation == copy.generation + 1;
}

} // namespace

Result<DeskView> DeskServer::check_out(const DeskName& name, const std::string& journey,
                                       std::uint64_t generation, const std::string& place) {
    BATON_TRY(check_name("check-out place", place));
    if (!desk::valid_desk_id(journey))
        return fail(Errc::invalid_argument, "the id of a check-out is a UUID");
    const auto held = hold_idle(name);
    if (!held)
        return tl::unexpected(held.error());
    BATON_TRY(desk::mark_checked_out(path_of(name), journey, generation, place));
    return view(name, **held);
}

Result<void> DeskServer::may_come_back(const DeskName& name, const desk::Header& copy) {
    const auto held = hold_idle(name);
    if (!held)
        return tl::unexpected(held.error());
    const auto home = desk::Image::open(path_of(name), desk::Access::look);
    if (!home)
        return tl::unexpected(home.error());
    if (!may_be_back(copy, home->header()))
        BATON_TRY(desk::may_come_back(copy, home->header()));
    // any desk fits any slot of a desktop, and what a stick says takes no more space than it left
    if (copy.size_bytes != home->header().size_bytes)
        return fail(Errc::invalid_argument,
                    "this copy has another size than the desk '" + name.value + "'",
                    "keep it under another name, or copy files out of it with baton-play");
    return {};
}

Result<DeskView> DeskServer::check_in(const DeskName& name, const std::string& copy,
                                      const std::string& content_sha256) {
    {
        auto came = desk::Image::open(copy, desk::Access::write);
        if (!came)
            return tl::unexpected(came.error());
        BATON_TRY(may_come_back(name, came->header()));
        auto header = came->header();
        header.lease = {};
        header.state = desk::State::ready; // what it is the check says
        header.largest_fence = {};         // fencing numbers are of one site
        BATON_TRY(desk::write_first_header(came->fd(), header, copy));
    }
    const auto held = hold_idle(name);
    if (!held)
        return tl::unexpected(held.error());
    const auto home = desk::Image::open(path_of(name), desk::Access::look);
    if (!home)
        return tl::unexpected(home.error());
    if (!home->header().checked_out) {
        const auto here = desk::content_hash(path_of(name));
        if (here && *here == content_sha256)
            return view(name, **held);
    }
    BATON_TRY(desk::check_in(copy, path_of(name), "desk-server"));
    return view(name, **held);
}

Result<DeskView> DeskServer::call_off(const DeskName& name) {
    const auto held = hold_idle(name);
    if (!held)
        return tl::unexpected(held.error());
    BATON_TRY(desk::call_off(path_of(name)));
    return view(name, **held);
}

} // namespace baton::deskserver
