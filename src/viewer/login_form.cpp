#include "viewer/login_form.h"

#include "rfb/limits.h"

#include <algorithm>
#include <utility>

namespace baton::viewer {

namespace {

bool continues(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

} // namespace

LoginForm::LoginForm(std::string name)
    : name_(std::move(name)), field_(name_.empty() ? Field::name : Field::password) {}

void LoginForm::offer(std::vector<std::string> images, std::size_t preferred) {
    images_ = std::move(images);
    image_ = preferred < images_.size() ? preferred : 0;
    field_ = images_.size() > 1 ? Field::image : Field::password;
}

std::string* LoginForm::text() {
    if (field_ == Field::image)
        return nullptr;
    return field_ == Field::name ? &name_ : &password_;
}

void LoginForm::type(std::string_view typed) {
    std::string* into = text();
    name_is_missing_ = false;
    if (into != nullptr && into->size() + typed.size() <= rfb::most_word_bytes)
        into->append(typed);
}

void LoginForm::move(int step) {
    const int fields = images_.size() > 1 ? 3 : 2;
    field_ = static_cast<Field>((static_cast<int>(field_) + step + fields) % fields);
}

bool LoginForm::press(Key key) {
    std::string* into = text();
    switch (key) {
    case Key::next:
        move(1);
        return false;
    case Key::previous:
        move(-1);
        return false;
    case Key::erase:
        while (into != nullptr && !into->empty()) {
            const char last = into->back();
            into->pop_back();
            if (!continues(last))
                break;
        }
        return false;
    case Key::erase_all:
        if (into != nullptr)
            into->clear();
        return false;
    case Key::left:
    case Key::right:
        if (field_ == Field::image)
            image_ = (image_ + (key == Key::right ? 1 : images_.size() - 1)) % images_.size();
        return false;
    default:
        break;
    }
    name_is_missing_ = name_.empty();
    if (name_is_missing_) {
        field_ = Field::name;
        return false;
    }
    if (field_ == Field::name && password_.empty()) {
        field_ = Field::password;
        return false;
    }
    return true;
}

void LoginForm::begin_again() {
    std::fill(password_.begin(), password_.end(), '\0');
    password_.clear();
    images_.clear();
    image_ = 0;
    field_ = name_.empty() ? Field::name : Field::password;
}

std::size_t LoginForm::password_characters() const {
    return static_cast<std::size_t>(std::count_if(password_.begin(), password_.end(),
                                                  [](char byte) { return !continues(byte); }));
}

} // namespace baton::viewer
