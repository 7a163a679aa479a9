#include "programs/baton/secret.h"

#include "programs/baton/commands.h"

#include <cstdio>
#include <fcntl.h>
#include <iostream>
#include <memory>
#include <termios.h>
#include <unistd.h>

namespace baton::cli {

namespace {

class Terminal {
  public:
    Terminal() : fd_(::open("/dev/tty", O_RDWR | O_CLOEXEC)) {
        if (fd_ < 0 || ::tcgetattr(fd_, &before_) != 0)
            throw CommandFailed{Error{Errc::invalid_argument,
                                      "there is no terminal to ask for a password on",
                                      "give it on standard input with --password-stdin", 0}};
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        quiet.c_lflag |= ECHONL;
        ::tcsetattr(fd_, TCSAFLUSH, &quiet);
    }

    ~Terminal() {
        ::tcsetattr(fd_, TCSAFLUSH, &before_);
        ::close(fd_);
    }

    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    std::string ask(const std::string& prompt) {
        const std::string text = prompt + ": ";
        if (::write(fd_, text.data(), text.size()) < 0)
            throw CommandFailed{fail_errno(errno, "cannot ask on the terminal").value()};
        std::string line;
        char c = 0;
        while (::read(fd_, &c, 1) == 1 && c != '\n')
            line += c;
        return line;
    }

  private:
    int fd_;
    termios before_{};
};

} // namespace

std::string ask_password(const std::string& prompt, bool twice) {
    Terminal terminal;
    const std::string first = terminal.ask(prompt);
    if (twice && terminal.ask("the same once more") != first)
        throw CommandFailed{
            Error{Errc::invalid_argument, "the two passwords are not the same", "try again", 0}};
    return first;
}

std::string password_from_stdin() {
    std::string line;
    if (!std::getline(std::cin, line) || line.empty())
        throw CommandFailed{Error{
            Errc::invalid_argument, "there is no password on standard input",
            "for example: printf '%s\\n' \"$PASSWORD\" | baton user add kim --password-stdin", 0}};
    return line;
}

} // namespace baton::cli
