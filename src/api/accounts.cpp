#include "api/accounts.h"

#include "api/passwords.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::api {

namespace {

/// Tokens of one person that are good at once; the one that expires first makes room.
constexpr std::size_t most_tokens_each = 64;

std::string_view whom_of(store::TokenRow::Kind invitation) {
    return invitation == store::TokenRow::Kind::gateway_invite ? "gateway" : "host";
}

} // namespace

Result<void> Accounts::load() {
    auto users = store_.users();
    if (!users)
        return tl::unexpected(users.error());
    auto tokens = store_.tokens();
    if (!tokens)
        return tl::unexpected(tokens.error());
    users_.clear();
    tokens_.clear();
    for (store::UserRow& row : *users)
        users_.emplace(row.name, std::move(row));
    for (store::TokenRow& row : *tokens)
        tokens_.emplace(row.token_sha256, std::move(row));
    return {};
}

const store::UserRow* Accounts::find(const UserName& name) const {
    const auto found = users_.find(name);
    return found == users_.end() ? nullptr : &found->second;
}

Result<store::UserRow> Accounts::get(const UserName& name) const {
    if (const store::UserRow* row = find(name))
        return *row;
    return fail(Errc::not_found, fmt::format("there is no user '{}'", name.value),
                fmt::format("add them with: baton user add {}", name.value));
}

Result<void> Accounts::commit(store::Change& change) {
    for (const auto& [sha256, token] : tokens_)
        if (expired(token))
            change.removed_tokens.push_back(sha256);
    BATON_TRY(store_.commit(change));
    for (const std::string& sha256 : change.removed_tokens)
        tokens_.erase(sha256);
    for (const store::UserRow& row : change.users)
        users_[row.name] = row;
    for (const store::TokenRow& row : change.tokens)
        tokens_[row.token_sha256] = row;
    return {};
}

store::EventRow Accounts::event(std::string kind, const std::string& subject,
                                std::string text) const {
    store::EventRow row;
    row.at = clock_.wall();
    row.kind = std::move(kind);
    row.subject = subject;
    row.text = std::move(text);
    row.data_json = "{}";
    return row;
}

Result<store::UserRow> Accounts::add(store::UserRow row, const std::string& by) {
    if (find(row.name))
        return fail(Errc::already_exists,
                    fmt::format("there is a user '{}' already", row.name.value),
                    fmt::format("change the password with: baton user passwd {}", row.name.value));
    row.created = clock_.wall();
    store::Change change;
    change.users.push_back(row);
    change.events.push_back(
        event("user.added", row.name.value,
              fmt::format("{} was added by {} as {}", row.name.value, by, to_string(row.role))));
    BATON_TRY(commit(change));
    return row;
}

void Accounts::drop_tokens_of(const UserName& name, store::Change& change) const {
    for (const auto& [sha256, token] : tokens_)
        if (token.kind == store::TokenRow::Kind::api && token.subject == name.value)
            change.removed_tokens.push_back(sha256);
}

Result<store::UserRow> Accounts::set_password(const UserName& name, std::string hash,
                                              const std::string& by) {
    auto row = get(name);
    if (!row)
        return row;
    row->password_hash = std::move(hash);
    store::Change change;
    change.users.push_back(*row);
    // whoever got in with the old password is out; the token file made at first start stays good
    for (const auto& [sha256, token] : tokens_)
        if (token.kind == store::TokenRow::Kind::api && token.subject == name.value &&
            token.expires != WallTime{})
            change.removed_tokens.push_back(sha256);
    change.events.push_back(event("user.password", name.value,
                                  fmt::format("{}'s password was set by {}", name.value, by)));
    BATON_TRY(commit(change));
    return row;
}

Result<store::UserRow> Accounts::set_disabled(const UserName& name, bool disabled,
                                              const std::string& by) {
    auto row = get(name);
    if (!row)
        return row;
    if (row->disabled == disabled)
        return row;
    if (disabled && row->role == Role::admin) {
        const auto others = std::ranges::count_if(users_, [&](const auto& entry) {
            return entry.first != name && entry.second.role == Role::admin &&
                   !entry.second.disabled;
        });
        if (others == 0)
            return fail(Errc::refused,
                        fmt::format("'{}' is the only admin that can log in", name.value),
                        "make another admin first: baton user add NAME --role admin");
    }
    row->disabled = disabled;
    store::Change change;
    change.users.push_back(*row);
    if (disabled)
        drop_tokens_of(name, change);
    change.events.push_back(event(
        disabled ? "user.disabled" : "user.enabled", name.value,
        fmt::format("{} was {} by {}", name.value, disabled ? "locked out" : "let in again", by)));
    BATON_TRY(commit(change));
    return row;
}

Result<std::string> Accounts::issue(const UserName& name, std::chrono::seconds life) {
    std::string token = random_token();
    store::TokenRow row;
    row.token_sha256 = sha256_hex(token);
    row.kind = store::TokenRow::Kind::api;
    row.subject = name.value;
    if (life.count() > 0)
        row.expires = clock_.wall() + life;
    store::Change change;
    change.tokens.push_back(row);
    std::vector<const store::TokenRow*> held;
    for (const auto& [sha256, other] : tokens_)
        if (other.kind == store::TokenRow::Kind::api && other.subject == name.value &&
            other.expires != WallTime{})
            held.push_back(&other);
    if (held.size() >= most_tokens_each)
        change.removed_tokens.push_back((*std::ranges::min_element(held, {}, [](const auto* one) {
                                            return one->expires;
                                        }))->token_sha256);
    BATON_TRY(commit(change));
    return token;
}

Result<void> Accounts::revoke(const std::string& token_sha256) {
    store::Change change;
    change.removed_tokens.push_back(token_sha256);
    return commit(change);
}

Result<void> Accounts::revoke_lasting(const UserName& name) {
    store::Change change;
    for (const auto& [sha256, token] : tokens_)
        if (token.kind == store::TokenRow::Kind::api && token.subject == name.value &&
            token.expires == WallTime{})
            change.removed_tokens.push_back(sha256);
    return commit(change);
}

bool Accounts::expired(const store::TokenRow& token) const {
    return token.expires != WallTime{} && token.expires <= clock_.wall();
}

const store::TokenRow* Accounts::good_token(const std::string& token,
                                            store::TokenRow::Kind kind) const {
    // looked up by digest: how long it takes says nothing about the token itself
    const auto found = tokens_.find(sha256_hex(token));
    if (found == tokens_.end() || found->second.kind != kind || expired(found->second))
        return nullptr;
    return &found->second;
}

Result<Caller> Accounts::caller(const std::string& token) const {
    const store::TokenRow* row = good_token(token, store::TokenRow::Kind::api);
    const store::UserRow* user = row ? find(UserName(row->subject)) : nullptr;
    if (!user || user->disabled)
        return fail(Errc::unauthenticated, "the token is not known here, or has expired",
                    "log in again: baton login");
    return Caller{asker_of(user->role), user->name, HostId{}, row->token_sha256};
}

Result<std::string> Accounts::invite(store::TokenRow::Kind kind, const std::string& name,
                                     std::chrono::seconds life, const std::string& by) {
    std::string secret = random_token();
    store::TokenRow row;
    row.token_sha256 = sha256_hex(secret);
    row.kind = kind;
    row.subject = name;
    row.expires = clock_.wall() + life;
    store::Change change;
    change.tokens.push_back(row);
    for (const auto& [sha256, token] : tokens_)
        if (token.kind == kind && token.subject == name)
            change.removed_tokens.push_back(sha256);
    change.events.push_back(event(fmt::format("{}.invited", whom_of(kind)), name,
                                  fmt::format("{} was invited by {}", name, by)));
    BATON_TRY(commit(change));
    return secret;
}

Result<std::string> Accounts::invited(store::TokenRow::Kind kind, const std::string& secret) const {
    const store::TokenRow* row = good_token(secret, kind);
    if (!row)
        return fail(Errc::unauthenticated,
                    "the invitation is not known here, has been used, or has expired",
                    fmt::format("ask for a new one: baton {} invite NAME", whom_of(kind)));
    return row->subject;
}

Result<void> Accounts::use_invitation(const std::string& secret) {
    store::Change change;
    change.removed_tokens.push_back(sha256_hex(secret));
    return commit(change);
}

Result<void> Accounts::withdraw_invitation(store::TokenRow::Kind kind, const std::string& name) {
    store::Change change;
    for (const auto& [sha256, token] : tokens_)
        if (token.kind == kind && token.subject == name)
            change.removed_tokens.push_back(sha256);
    return commit(change);
}

std::vector<store::TokenRow> Accounts::invitations(store::TokenRow::Kind kind) const {
    std::vector<store::TokenRow> found;
    for (const auto& [sha256, token] : tokens_)
        if (token.kind == kind && !expired(token))
            found.push_back(token);
    return found;
}

} // namespace baton::api
