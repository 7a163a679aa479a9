#include "programs/batond/share_news.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace baton::controller {

void ShareNews::take(const HostId& host, const CpuSharesTold& told) {
    doors_.latest.put(host, told);
    const bool unsupported = told.state == CpuSharesState::unsupported;
    if (!told.news || (!unsupported && told.changes.empty()))
        return;
    boost::json::array changes;
    for (const auto& change : told.changes)
        changes.push_back(boost::json::object{
            {"desktop", change.desktop.value}, {"was", change.was}, {"weight", change.weight}});
    store::EventRow event;
    event.at = doors_.clock.wall();
    event.kind = unsupported ? "host.cpu_shares_unsupported" : "host.cpu_shares";
    event.subject = host.value;
    event.text =
        unsupported ? fmt::format("CPU shares do not follow demand on {}: {}", host.value, told.why)
                    : fmt::format("CPU shares on {} follow demand: {}.", host.value, told.why);
    event.data_json = boost::json::serialize(boost::json::object{{"changes", std::move(changes)}});
    store::Change change;
    change.events.push_back(std::move(event));
    if (auto written = doors_.store.commit(change); !written)
        return doors_.complain(written.error().in("writing down a change of CPU shares"));
    doors_.events_grew();
}

} // namespace baton::controller
