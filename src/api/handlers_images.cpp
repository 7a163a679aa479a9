#include "api/context.h"
#include "api/json_out.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace json = boost::json;

namespace baton::api {

namespace {

void list(Context& context, const CallPtr& call) {
    auto images = context.services.images.list();
    if (!images)
        return call->answer(images.error());
    json::array found;
    for (const osimage::Manifest& image : *images)
        found.push_back(image_json(image));
    call->answer(
        json::object{{"os_images", std::move(found)}, {"default", context.settings.default_image}});
}

void show(Context& context, const CallPtr& call) {
    auto images = context.services.images.list();
    if (!images)
        return call->answer(images.error());
    for (const osimage::Manifest& image : *images)
        if (image.id.value == call->parameters[0])
            return call->answer(image_json(image));
    call->answer(Error{Errc::not_found,
                       fmt::format("there is no OS image '{}'", call->parameters[0].substr(0, 64)),
                       "see them with: baton os list", 0});
}

void send_file(Context& context, const CallPtr& call, const std::string& name) {
    const OsImageId id(call->parameters[0]);
    // these become a path: names only, whatever the library makes of them
    for (const std::string& part : {id.value, name})
        if (auto fine = check_name("name here", part); !fine)
            return call->answer(fine.error());
    auto path = context.services.images.file(id, name);
    if (!path)
        return call->answer(path.error());
    net::Response response;
    response.content_type =
        name == "manifest.json" ? "application/json" : "application/octet-stream";
    response.file = std::move(*path);
    call->answer(std::move(response));
}

} // namespace

void add_image_routes(Context& context, Handlers& handlers) {
    handlers[RouteId::images_list] = [&context](const CallPtr& call) { list(context, call); };
    handlers[RouteId::images_show] = [&context](const CallPtr& call) { show(context, call); };
    handlers[RouteId::images_manifest] = [&context](const CallPtr& call) {
        send_file(context, call, "manifest.json");
    };
    handlers[RouteId::images_file] = [&context](const CallPtr& call) {
        send_file(context, call, call->parameters[1]);
    };
}

} // namespace baton::api
