#include "api/prestart.h"

#include "api/clients.h"
#include "api/opening.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::api {

void Prestarter::signal(const store::ClientRow& pc) {
    if (!context_.settings.prestart || pc.user.value.empty() ||
        std::ranges::find(waiting_, pc.mac) != waiting_.end())
        return;
    waiting_.push_back(pc.mac);
    context_.services.clock.post([this] { go_on(); });
}

void Prestarter::go_on() {
    while (under_way_ < most_under_way && !waiting_.empty()) {
        const std::string mac = std::move(waiting_.front());
        waiting_.pop_front();
        begin(mac);
    }
}

Result<handoff::OpenRequest> Prestarter::request_for(const store::ClientRow& pc) {
    const auto person = context_.accounts.get(pc.user);
    if (!person)
        return tl::unexpected(person.error());
    if (person->disabled)
        return fail(Errc::refused, fmt::format("the user '{}' is disabled", pc.user.value));
    const auto image = choose_image(context_, pc);
    if (!image)
        return tl::unexpected(image.error());
    handoff::OpenRequest request;
    request.user = pc.user;
    request.image = *image;
    request.route = usual_route(context_);
    if (request.route == RouteKind::nat)
        request.client = pc.address;
    return request;
}

void Prestarter::failed(const std::string& mac, const Error& error) {
    (void)context_.tell(
        "client.prestart_failed", mac,
        fmt::format("no desktop was started beforehand for the PC {}: {}", mac, error.message()));
}

void Prestarter::begin(const std::string& mac) {
    const auto pc = find_client(context_, mac);
    if (!pc || pc->user.value.empty() || session_of(context_, pc->user))
        return; // forgotten or untied meanwhile; or at work already
    const auto request = request_for(*pc);
    if (!request)
        return failed(mac, request.error());
    ++under_way_;
    context_.services.engine.open(*request,
                                  [this, mac](const Result<handoff::SessionView>& opened) {
                                      --under_way_;
                                      if (!opened)
                                          failed(mac, opened.error());
                                      go_on();
                                  });
    // behind what open() has posted: by then the session is in the engine, or it has been refused
    context_.services.clock.post([this, mac, user = pc->user] {
        const auto view = session_of(context_, user);
        if (!view)
            return;
        if (const auto written = keeper_.started_beforehand(view->row.id, mac); !written)
            return failed(mac, written.error());
        (void)context_.tell("client.prestarted", mac,
                            fmt::format("the desktop of {} is started beforehand: the PC {} is up",
                                        user.value, mac));
    });
}

} // namespace baton::api
