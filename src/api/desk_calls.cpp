#include "api/desk_calls.h"

#include <fmt/format.h>

namespace baton::api {

Result<store::DeskRow> DeskCalls::find(const CallPtr& call) {
    const DeskName name(call->parameters[0]);
    auto row = context_.services.store.desk(name);
    if (!row)
        return tl::unexpected(row.error());
    if (!*row || (!call->over_others() && (*row)->owner != call->caller.user))
        return fail(Errc::not_found, fmt::format("there is no desk '{}'", name.value.substr(0, 64)),
                    "see them with: baton desk list");
    return std::move(**row);
}

Result<store::DeskRow> DeskCalls::find_free(const CallPtr& call) {
    auto row = find(call);
    if (row)
        BATON_TRY(is_free(*row));
    return row;
}

Result<void> DeskCalls::is_free(const store::DeskRow& row) {
    if (!row.holder.empty())
        return fail(Errc::busy,
                    fmt::format("the desk '{}' is in use by the session {}", row.name.value,
                                row.holder.value),
                    fmt::format("close it first: baton session close {}", row.holder.value));
    if (context_.desks_in_work.contains(row.name))
        return fail(Errc::busy,
                    fmt::format("another command works on the desk '{}'", row.name.value),
                    "try again when it has ended");
    return {};
}

Result<DeskPiece> piece_of(const CallPtr& call, std::int64_t most) {
    const auto size = static_cast<std::int64_t>(call->request.body.size());
    const auto offset = query_number(call->request.query, "offset", 0, 0, most);
    const auto total = query_number(call->request.query, "total", size, 1, most);
    if (!offset || !total)
        return tl::unexpected(!offset ? offset.error() : total.error());
    if (size == 0 || *offset + size > *total)
        return fail(Errc::invalid_argument,
                    fmt::format("the part of {} bytes at {} is not within {} bytes", size, *offset,
                                *total));
    return DeskPiece{*offset, *total, std::move(call->request.body)};
}

} // namespace baton::api
