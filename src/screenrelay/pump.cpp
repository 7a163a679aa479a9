#include "screenrelay/pump.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

#include <algorithm>
#include <utility>

namespace baton::screenrelay {

namespace asio = boost::asio;

namespace {

/// Also an end of TCP without TLS's own: RFB says itself where its messages end.
bool is_end(const net::error_code& error) {
    return error == asio::error::eof || error == asio::ssl::error::stream_truncated;
}

} // namespace

void Pump::start(const std::shared_ptr<void>& life, std::string_view first, Done done) {
    done_ = std::move(done);
    filled_ = first.copy(small_.data(), small_.size());
    if (filled_ > 0)
        write(life);
    else
        read(life);
}

void Pump::read(const std::shared_ptr<void>& life) {
    from_.async_read_some(
        asio::buffer(buffer() + filled_, room() - filled_),
        [this, life](net::error_code error, std::size_t bytes) { was_read(life, error, bytes); });
}

void Pump::was_read(const std::shared_ptr<void>& life, net::error_code error, std::size_t bytes) {
    filled_ += bytes;
    if (error && !is_end(error))
        return finish(error);
    ended_ = error.failed();
    if (ended_ && filled_ == 0) {
        to_.finish_writing();
        return finish({});
    }
    if (!ended_ && !large_ && filled_ == small_.size()) {
        // there is more: it goes out as one
        large_ = std::make_unique_for_overwrite<char[]>(buffer_bytes);
        std::copy_n(small_.data(), filled_, large_.get());
        if (from_.readable())
            return read(life);
    }
    write(life);
}

void Pump::write(const std::shared_ptr<void>& life) {
    to_.async_write_some(asio::buffer(buffer() + sent_, filled_ - sent_),
                         [this, life](net::error_code error, std::size_t bytes) {
                             was_written(life, error, bytes);
                         });
}

void Pump::was_written(const std::shared_ptr<void>& life, net::error_code error,
                       std::size_t bytes) {
    if (error)
        return finish(error);
    sent_ += bytes;
    if (sent_ < filled_)
        return write(life);
    filled_ = sent_ = 0;
    if (ended_) {
        to_.finish_writing();
        return finish({});
    }
    if (large_ && !from_.readable())
        large_.reset();
    read(life);
}

void Pump::finish(net::error_code error) {
    large_.reset();
    if (auto done = std::exchange(done_, nullptr))
        done(error);
}

} // namespace baton::screenrelay
