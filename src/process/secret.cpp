#include "process/secret.h"

#include "process/child.h"

#include <cerrno>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

namespace baton::process {

namespace {

/// A terminal without echo, until this ends.
class QuietTerminal {
  public:
    QuietTerminal() : file_(::open("/dev/tty", O_RDWR | O_CLOEXEC)) {
        if (!file_.open() || ::tcgetattr(file_.get(), &before_) != 0) {
            file_.reset();
            return;
        }
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        quiet.c_lflag |= ECHONL;
        ::tcsetattr(file_.get(), TCSAFLUSH, &quiet);
    }

    ~QuietTerminal() {
        if (file_.open())
            ::tcsetattr(file_.get(), TCSAFLUSH, &before_);
    }

    QuietTerminal(const QuietTerminal&) = delete;
    QuietTerminal& operator=(const QuietTerminal&) = delete;

    [[nodiscard]] const Descriptor& file() const { return file_; }

  private:
    Descriptor file_;
    termios before_{};
};

std::string first_line(int fd) {
    std::string line;
    for (char c = 0; ::read(fd, &c, 1) == 1 && c != '\n';)
        line += c;
    return line;
}

} // namespace

Result<std::string> ask_secret(const std::string& prompt) {
    const QuietTerminal terminal;
    if (!terminal.file().open())
        return fail(Errc::not_found, "there is no terminal to ask on", "name a file with it");
    const auto text = prompt + ": ";
    if (::write(terminal.file().get(), text.data(), text.size()) < 0)
        return fail_errno(errno, "cannot ask on the terminal");
    return first_line(terminal.file().get());
}

Result<std::string> read_secret(const std::string& file) {
    const Descriptor opened(file == "-" ? ::dup(0) : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.open())
        return fail_errno(errno, "cannot read " + file);
    auto line = first_line(opened.get());
    if (line.empty())
        return fail(Errc::invalid_argument, "the first line of " + file + " is empty",
                    "it is to hold the passphrase");
    return line;
}

} // namespace baton::process
