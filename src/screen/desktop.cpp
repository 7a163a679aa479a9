#include "screen/desktop.h"

#include "player/nested_server.h"
#include "player/session.h"
#include "screen/presenter.h"

#include <boost/algorithm/hex.hpp>

#include <X11/Xauth.h>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <sys/random.h>
#include <unistd.h>

namespace baton::screen {

namespace {

constexpr std::chrono::milliseconds answering{10'000};
constexpr std::chrono::milliseconds starting{30'000};
constexpr std::chrono::milliseconds managing{5'000};

/// The person's cookies for the PC's display; empty: they have none.
std::string pc_cookies(const player::Person& person) {
    const char* said = std::getenv("XAUTHORITY"); // NOLINT(concurrency-mt-unsafe): one thread
    if (said != nullptr && *said != '\0')
        return ::access(said, F_OK) == 0 ? said : "";
    const auto usual = person.home + "/.Xauthority";
    return ::access(usual.c_str(), F_OK) == 0 ? usual : "";
}

class Desktop final : public player::Display {
  public:
    Desktop(player::PcDisplay pc, std::string cookies, player::Person person, Presenter presenter)
        : pc_(std::move(pc)),
          cookies_(std::move(cookies)),
          person_(std::move(person)),
          presenter_(std::move(presenter)) {}

    Result<void> begin(player::Session& session) override;

    void wait_for_manager() override;

    Result<void> show(bool desk) override { return presenter_.show(desk); }

    [[nodiscard]] bool shown() const override { return presenter_.shown(); }

    [[nodiscard]] const player::PcDisplay& pc() const override { return pc_; }

    std::vector<player::Watch> watches() override;

  private:
    Result<void> server_ended() const;

    player::PcDisplay pc_;
    std::string cookies_; ///< the file of the PC's
    player::Person person_;
    std::function<void(const std::string&)> note_;
    Presenter presenter_;
    player::NestedServer server_; ///< ends before its window
};

Result<void> Desktop::begin(player::Session& session) {
    note_ = [&session](const std::string& text) { session.note(text); };
    presenter_.tell(note_);
    const auto window = presenter_.window(answering);
    if (!window)
        return tl::unexpected(window.error());
    const auto& owner = session.blueprint().owner;
    BATON_TRY(presenter_.name(owner));
    std::string cookie(16, '\0');
    if (::getrandom(cookie.data(), cookie.size(), 0) != static_cast<ssize_t>(cookie.size()))
        return fail_errno(errno, "cannot make a cookie for the desk's display");
    const auto file = cookie_file(cookie);
    if (!file)
        return tl::unexpected(file.error());
    const auto sockets = session.environment().begin_display(*file);
    if (!sockets)
        return tl::unexpected(sockets.error());
    player::NestedOrder order{pc_, cookies_, window->id, "Desk of " + owner};
    auto server = player::NestedServer::start(player::xephyr_command(order), person_,
                                              sockets->server.get(), *file);
    if (!server)
        return tl::unexpected(server.error());
    server_ = std::move(*server);
    BATON_TRY(server_.wait_ready(starting));
    BATON_TRY(presenter_.give_desk(sockets->client.get(), boost::algorithm::hex(cookie)));
    return presenter_.show(true);
}

void Desktop::wait_for_manager() {
    // one that does not say that it is ready gets no more time than this
    if (const auto there = presenter_.wait_managed(managing); !there)
        note_("the desk's window manager does not say that it is ready");
}

Result<void> Desktop::server_ended() const {
    const auto words = server_.last_words();
    return fail(Errc::unavailable,
                "the desk's own X server has ended" + (words.empty() ? "" : ": " + words),
                "the desk's files are as its programs have written them");
}

std::vector<player::Watch> Desktop::watches() {
    return {{presenter_.fd(), [this] { return presenter_.hear(); }},
            {server_.pidfd(), [this] { return server_ended(); }}};
}

} // namespace

Result<std::string> cookie_file(const std::string& cookie) {
    constexpr unsigned short any = 65535; // FamilyWild
    std::string number;
    std::string name = "MIT-MAGIC-COOKIE-1";
    std::string data = cookie;
    Xauth entry{any,           0,
                nullptr,       0,
                number.data(), static_cast<unsigned short>(name.size()),
                name.data(),   static_cast<unsigned short>(data.size()),
                data.data()};
    char* bytes = nullptr;
    std::size_t size = 0;
    FILE* file = ::open_memstream(&bytes, &size);
    const bool written = file != nullptr && XauWriteAuth(file, &entry) != 0;
    if (file != nullptr)
        std::fclose(file);
    const std::string result(bytes == nullptr ? "" : bytes, size);
    std::free(bytes);
    if (!written)
        return fail(Errc::internal, "cannot write a cookie for the desk's display");
    return result;
}

Result<std::unique_ptr<player::Display>> prepare_desktop(const player::DisplayOrder& order) {
    const char* name = std::getenv("DISPLAY"); // NOLINT(concurrency-mt-unsafe): one thread
    auto pc = player::parse_display(name == nullptr ? "" : name);
    if (!pc)
        return tl::unexpected(pc.error());
    BATON_TRY(player::check_nested_server());
    const auto hotkey = parse_hotkey(order.hotkey);
    if (!hotkey)
        return tl::unexpected(hotkey.error());
    const auto person = player::person_here();
    const auto cookies = pc_cookies(person);
    auto presenter = Presenter::start({*pc, cookies, person, *hotkey, order.clipboard});
    if (!presenter)
        return tl::unexpected(presenter.error());
    return std::make_unique<Desktop>(std::move(*pc), cookies, person, std::move(*presenter));
}

} // namespace baton::screen
