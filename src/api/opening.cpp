#include "api/opening.h"

#include <algorithm>

namespace baton::api {

std::optional<handoff::SessionView> session_of(const Context& context, const UserName& user) {
    for (handoff::SessionView& view : context.services.engine.sessions())
        if (view.row.user == user && view.row.phase != store::SessionPhase::closed)
            return std::move(view);
    return std::nullopt;
}

RouteKind usual_route(const Context& context) {
    if (context.settings.route)
        return *context.settings.route;
    const auto gateways = context.services.store.gateways();
    return gateways && !gateways->empty() ? RouteKind::gateway : RouteKind::nat;
}

Result<OsImageId> choose_image(Context& context, const std::optional<std::string>& image) {
    const std::string name = image.value_or(context.settings.default_image);
    if (!name.empty()) {
        BATON_TRY(check_name("name of an OS image", name));
        return context.services.images.resolve(name);
    }
    auto images = context.services.images.list();
    if (!images)
        return tl::unexpected(images.error());
    if (images->empty())
        return fail(Errc::not_found, "there is no OS image yet",
                    "build one with: baton os build tiny");
    const std::string& only = images->front().name;
    if (std::ranges::all_of(*images, [&](const auto& one) { return one.name == only; }))
        return context.services.images.resolve(only); // the newest of its versions
    std::string names;
    for (const osimage::Manifest& one : *images)
        names += (names.empty() ? "" : ", ") + one.id.value;
    return fail(Errc::invalid_argument, "it is not said which OS image the desktop starts from",
                "choose one of: " + names + ", or set default_image in batond.toml");
}

Result<OsImageId> choose_image(Context& context, const store::ClientRow& pc) {
    return choose_image(context, pc.os_image.value.empty() ? std::nullopt
                                                           : std::optional(pc.os_image.value));
}

} // namespace baton::api
