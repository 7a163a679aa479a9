#pragma once

#include "api/context.h"

#include <functional>

/// What the routes about desks share. Inside api/ only.
namespace baton::api {

class DeskCalls {
  public:
    explicit DeskCalls(Context& context) : context_(context) {}

  protected:
    /// The row of a desk that the caller may see.
    Result<store::DeskRow> find(const CallPtr& call);
    /// The same of a desk with which something is to be done: is_free().
    Result<store::DeskRow> find_free(const CallPtr& call);
    /// Nobody holds the desk and nothing is being done with it.
    Result<void> is_free(const store::DeskRow& row);

    /// Does `work` in the background while the desk is marked as in work.
    template <class T>
    void work_on(const DeskName& name, std::function<Result<T>()> work,
                 std::function<void(const Result<T>&)> then) {
        context_.desks_in_work.insert(name);
        context_.in_background<T>(std::move(work),
                                  [this, name, then = std::move(then)](const Result<T>& result) {
                                      context_.desks_in_work.erase(name);
                                      then(result);
                                  });
    }

    Context& context_;
};

/// A part of a packed desk out of the query (`offset`, `total`) and the body, which it takes.
/// Errc::invalid_argument: it lies outside.
Result<DeskPiece> piece_of(const CallPtr& call, std::int64_t most);

void add_snapshot_routes(Context& context, Handlers& handlers);
void add_checkout_routes(Context& context, Handlers& handlers);

} // namespace baton::api
