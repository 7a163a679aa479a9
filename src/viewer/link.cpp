#include "viewer/link.h"

#include "net/dialer.h"
#include "net/tls.h"
#include "rfb/wire.h"
#include "viewer/attempt.h"
#include "viewer/recorder.h"

#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <random>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

namespace baton::viewer {

namespace {

constexpr std::size_t buffer_bytes = std::size_t{256} * 1024;
constexpr std::size_t most_unsent_bytes = std::size_t{8} * 1024 * 1024;

/// A mutex that those who wait for get in turn: who draws without a pause does not keep out who
/// shows.
class FairMutex {
  public:
    void lock() {
        const std::lock_guard turn(next_);
        held_.lock();
    }

    void unlock() { held_.unlock(); }

  private:
    std::mutex next_;
    std::mutex held_;
};

class ThreadLink : public Link {
  public:
    ThreadLink(LinkSettings settings, std::optional<net::FreshTls> tls,
               std::optional<Recorder> recorder, std::function<void()> wake)
        : settings_(std::move(settings)),
          tls_(std::move(tls)),
          recorder_(std::move(recorder)),
          wake_(std::move(wake)),
          backoff_(settings_.shortest_pause, settings_.longest_pause),
          timer_(context_),
          buffer_(buffer_bytes),
          thread_([this] { context_.run(); }) {}

    ~ThreadLink() override {
        asio::post(context_, [this] {
            stop();
            work_.reset();
        });
        thread_.join();
    }

    ThreadLink(const ThreadLink&) = delete;
    ThreadLink& operator=(const ThreadLink&) = delete;

    void open(rfb::Credentials credentials) override {
        asio::post(context_, [this, credentials = std::move(credentials)]() mutable {
            stop();
            credentials_ = std::move(credentials);
            backoff_.reset();
            {
                const std::lock_guard lock(state_mutex_);
                const auto endings = state_.endings;
                state_ = {};
                state_.endings = endings;
            }
            {
                const std::lock_guard lock(screen_mutex_);
                viewing_.reset();
            }
            connect();
        });
    }

    void close() override {
        asio::post(context_, [this] {
            stop();
            set(Stage::idle, std::nullopt);
        });
    }

    [[nodiscard]] LinkState state() const override {
        const std::lock_guard lock(state_mutex_);
        return state_;
    }

    void tell(std::function<void(picture::Viewing&)> what) override {
        asio::post(context_, [this, what = std::move(what)] {
            if (!stream_)
                return;
            {
                const std::lock_guard lock(screen_mutex_);
                what(*viewing_);
                out_ += viewing_->take_output();
            }
            write_next();
        });
    }

    void look(const std::function<void(picture::Viewing&)>& what) override {
        const std::lock_guard lock(screen_mutex_);
        if (viewing_)
            what(*viewing_);
    }

  private:
    void set(Stage stage, std::optional<Error> why, bool ended = false) {
        {
            const std::lock_guard lock(state_mutex_);
            state_.stage = stage;
            state_.why = std::move(why);
            state_.ended = ended;
            state_.endings += stage == Stage::idle ? 1 : 0;
            state_.shown = state_.shown || stage == Stage::showing;
        }
        wake_();
    }

    /// Whatever is under way. What it was to do still comes here, and finds another number.
    void stop() {
        ++turn_;
        timer_.cancel();
        if (attempt_)
            std::exchange(attempt_, nullptr)->cancel();
        if (stream_) {
            stream_->close();
            stream_.reset();
        }
        out_.clear();
        in_flight_.clear();
        writing_ = false;
    }

    void connect() {
        set(Stage::connecting, state().why);
        attempt_ = std::make_shared<Attempt>(context_, settings_, tls_ ? tls_->now() : nullptr,
                                             credentials_);
        attempt_->start([this] { set(Stage::asking, std::nullopt); },
                        [this](tl::expected<Attempt::Screen, Attempt::Refusal> outcome) {
                            attempt_.reset();
                            if (outcome)
                                begin(std::move(*outcome));
                            else if (outcome.error().final)
                                set(Stage::idle, outcome.error().why);
                            else
                                try_later(outcome.error().why);
                        });
    }

    void try_later(Error why) {
        if (why.code == Errc::refused) // it has answered: there is no hurry
            backoff_.slow();
        const auto pause = backoff_.next(std::generate_canonical<double, 32>(random_));
        set(Stage::waiting, std::move(why));
        timer_.expires_after(pause);
        timer_.async_wait([this, turn = turn_](error_code error) {
            if (!error && turn == turn_)
                connect();
        });
    }

    void begin(Attempt::Screen screen) {
        stream_.emplace(std::move(screen.stream));
        if (recorder_)
            recorder_->begin(screen.init);
        {
            const std::lock_guard lock(screen_mutex_);
            picture::Framebuffer before;
            if (viewing_)
                before = viewing_->framebuffer();
            viewing_.emplace(screen.init, settings_.wishes, std::move(before));
        }
        sampled_ = {};
        set(Stage::showing, std::nullopt);
        if (take(screen.rest))
            read();
    }

    void read() {
        stream_->async_wait_readable([this, turn = turn_](error_code error) {
            if (turn != turn_)
                return;
            std::size_t got = 0;
            if (!error)
                got = stream_->read_now(asio::buffer(buffer_), error);
            if (got == 0 && error != asio::error::would_block)
                lost(error);
            else if (take({buffer_.data(), got}))
                read();
        });
    }

    /// false: the connection is of no use any more.
    bool take(std::string_view bytes) {
        Result<void> drawn;
        std::uint64_t frames = 0;
        {
            const std::lock_guard lock(screen_mutex_);
            drawn = viewing_->feed(bytes);
            frames = viewing_->frames();
            out_ += viewing_->take_output();
        }
        if (recorder_)
            recorder_->take(bytes, frames);
        if (!drawn) {
            stop();
            backoff_.slow(); // the same would come again
            try_later(drawn.error());
            return false;
        }
        if (frames > 0)
            backoff_.reset();
        write_next();
        sample();
        wake_();
        return stream_.has_value();
    }

    void write_next() {
        if (out_.size() > most_unsent_bytes) {
            stop();
            try_later({Errc::timeout, settings_.host + " takes no input any more", "", 0});
            return;
        }
        if (writing_ || out_.empty())
            return;
        in_flight_ = std::exchange(out_, {});
        written_ = 0;
        write_some();
    }

    void write_some() {
        writing_ = true;
        stream_->async_write_some(
            asio::buffer(in_flight_.data() + written_, in_flight_.size() - written_),
            [this, turn = turn_](error_code error, std::size_t sent) {
                if (turn != turn_)
                    return;
                writing_ = false;
                written_ += sent;
                if (error)
                    lost(error);
                else if (written_ < in_flight_.size())
                    write_some();
                else
                    write_next();
            });
    }

    /// A gateway says inside TLS that it means to end: the session is over. Whatever else ends a
    /// connection is to be mended.
    void lost(const error_code& error) {
        const bool meant = error == asio::error::eof && stream_->encrypted();
        stop();
        if (meant)
            set(Stage::idle, std::nullopt, true);
        else
            try_later({Errc::unavailable,
                       "the connection to " + settings_.host + " was lost: " + error.message(),
                       "it is tried again", 0});
    }

    void sample() {
        const auto now = std::chrono::steady_clock::now();
        if (now - sampled_ < std::chrono::milliseconds(500))
            return;
        sampled_ = now;
        tcp_info info{};
        socklen_t size = sizeof info;
        if (::getsockopt(stream_->descriptor(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
            return;
        const std::lock_guard lock(state_mutex_);
        state_.round_trip = std::chrono::microseconds(info.tcpi_rtt);
    }

    const LinkSettings settings_;
    std::optional<net::FreshTls> tls_;
    std::optional<Recorder> recorder_;
    const std::function<void()> wake_;
    net::Backoff backoff_;
    std::mt19937 random_{std::random_device{}()};
    rfb::Credentials credentials_;

    asio::io_context context_{1};
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{
        asio::make_work_guard(context_)};
    asio::steady_timer timer_;
    std::uint64_t turn_ = 0;
    std::shared_ptr<Attempt> attempt_;
    std::optional<net::Stream> stream_; ///< of a screen that is shown
    std::vector<char> buffer_;
    std::string out_;
    std::string in_flight_;
    std::size_t written_ = 0; ///< of in_flight_
    bool writing_ = false;
    std::chrono::steady_clock::time_point sampled_;

    FairMutex screen_mutex_;
    std::optional<picture::Viewing> viewing_;
    mutable std::mutex state_mutex_;
    LinkState state_;

    std::thread thread_; ///< last: it uses everything above
};

} // namespace

Result<std::unique_ptr<Link>> Link::start(LinkSettings settings, std::function<void()> wake) {
    std::optional<net::FreshTls> tls;
    if (!settings.authority.empty()) {
        const net::TlsFiles files{"", "", settings.authority};
        auto fresh = net::FreshTls::start(files, [files] { return net::client_tls(files, {}); });
        if (!fresh)
            return tl::unexpected(fresh.error());
        tls = std::move(*fresh);
    }
    std::optional<Recorder> recorder;
    if (!settings.record.empty()) {
        auto opened = Recorder::open(settings.record);
        if (!opened)
            return tl::unexpected(opened.error());
        recorder = std::move(*opened);
    }
    return std::make_unique<ThreadLink>(std::move(settings), std::move(tls), std::move(recorder),
                                        std::move(wake));
}

} // namespace baton::viewer
