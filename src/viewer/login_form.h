#pragma once

#include "rfb/security.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baton::viewer {

/// What a person types to log in. Pure: keys in, fields out; drawn by login_view.h.
class LoginForm {
  public:
    enum class Field : std::uint8_t { name, password, image };
    enum class Key : std::uint8_t { next, previous, erase, erase_all, left, right, enter };

    /// `name` filled in: the password is asked for.
    explicit LoginForm(std::string name);

    /// There are `images` to choose from, and the next thing to do is that; `preferred` is of them.
    void offer(std::vector<std::string> images, std::size_t preferred);

    void type(std::string_view text);
    /// true: the person wants to log in, and has said as who.
    bool press(Key key);

    /// The password and the choice are forgotten, and asked for again.
    void begin_again();

    [[nodiscard]] const std::string& name() const { return name_; }

    /// How many characters the password has.
    [[nodiscard]] std::size_t password_characters() const;

    [[nodiscard]] rfb::Credentials credentials() const { return {name_, password_}; }

    [[nodiscard]] const std::vector<std::string>& images() const { return images_; }

    [[nodiscard]] std::size_t image() const { return image_; }

    [[nodiscard]] Field field() const { return field_; }

    /// Enter was pressed without a name.
    [[nodiscard]] bool name_is_missing() const { return name_is_missing_; }

  private:
    void move(int step);
    [[nodiscard]] std::string* text();

    std::string name_;
    std::string password_;
    std::vector<std::string> images_;
    std::size_t image_ = 0;
    Field field_;
    bool name_is_missing_ = false;
};

} // namespace baton::viewer
