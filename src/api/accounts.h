#pragma once

#include "api/routes.h"
#include "handoff/ports.h"
#include "store/store.h"

#include <map>
#include <optional>
#include <string>

namespace baton::api {

/// Who is asking, after authentication.
struct Caller {
    Asker asker = Asker::nobody;
    UserName user; ///< of a person
    HostId host;   ///< of a host
    std::string token_sha256;
};

/// People, their tokens and the invitations of hosts: kept in the store, mirrored in memory,
/// changed by this class alone. Runs on the engine's executor.
class Accounts {
  public:
    Accounts(store::Store& store, handoff::Clock& clock) : store_(store), clock_(clock) {}

    /// Reads the store; once, first.
    Result<void> load();

    [[nodiscard]] const store::UserRow* find(const UserName& name) const;

    [[nodiscard]] const std::map<UserName, store::UserRow>& users() const { return users_; }

    /// Errc::not_found with what to do, or the person.
    [[nodiscard]] Result<store::UserRow> get(const UserName& name) const;

    /// Errc::already_exists. Appends an event.
    Result<store::UserRow> add(store::UserRow row, const std::string& by);
    Result<store::UserRow> set_password(const UserName& name, std::string hash,
                                        const std::string& by);
    /// Disabling takes every token away. Errc::refused for the last admin that can log in.
    Result<store::UserRow> set_disabled(const UserName& name, bool disabled, const std::string& by);

    /// A new token for a person; `life` zero = never expires. The token itself is given out once.
    Result<std::string> issue(const UserName& name, std::chrono::seconds life);
    Result<void> revoke(const std::string& token_sha256);
    /// Every token of the person that does not expire.
    Result<void> revoke_lasting(const UserName& name);
    /// The person behind a token, or Errc::unauthenticated.
    [[nodiscard]] Result<Caller> caller(const std::string& token) const;

    // Of hosts and of gateways, by the kind of their tokens.

    /// A one-time secret for `name`; a former invitation of that name is void.
    Result<std::string> invite(store::TokenRow::Kind kind, const std::string& name,
                               std::chrono::seconds life, const std::string& by);
    /// Whose invitation a secret is, still good. Errc::unauthenticated otherwise.
    [[nodiscard]] Result<std::string> invited(store::TokenRow::Kind kind,
                                              const std::string& secret) const;
    /// Uses an invitation up.
    Result<void> use_invitation(const std::string& secret);
    /// Takes an invitation back; none: success.
    Result<void> withdraw_invitation(store::TokenRow::Kind kind, const std::string& name);
    /// Invitations that are still good.
    [[nodiscard]] std::vector<store::TokenRow> invitations(store::TokenRow::Kind kind) const;

    [[nodiscard]] std::size_t token_count() const { return tokens_.size(); }

  private:
    Result<void> commit(store::Change& change);
    [[nodiscard]] bool expired(const store::TokenRow& token) const;
    [[nodiscard]] const store::TokenRow* good_token(const std::string& token,
                                                    store::TokenRow::Kind kind) const;
    store::EventRow event(std::string kind, const std::string& subject, std::string text) const;
    void drop_tokens_of(const UserName& name, store::Change& change) const;

    store::Store& store_;
    handoff::Clock& clock_;
    std::map<UserName, store::UserRow> users_;
    std::map<std::string, store::TokenRow> tokens_;
};

} // namespace baton::api
