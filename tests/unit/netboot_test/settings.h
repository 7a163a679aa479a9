#pragma once

#include "netboot/manifest.h"
#include "netboot/settings.h"

namespace baton::netboot::testing {

inline Settings own_range() {
    Settings settings;
    settings.enabled = true;
    settings.interfaces = {"clients"};
    settings.address = "10.98.0.1";
    settings.range_first = "10.98.0.100";
    settings.range_last = "10.98.0.200";
    settings.controller = "https://10.98.0.1:8443";
    return settings;
}

inline Settings proxied() {
    auto settings = own_range();
    settings.dhcp = Dhcp::proxy;
    settings.range_first.clear();
    settings.range_last.clear();
    return settings;
}

inline Manifest an_image(char digit = 'a') {
    Manifest image;
    image.created = "2026-11-29T10:00:00Z";
    image.description = "Linux 6.1";
    image.kernel_arguments = "console=tty0 quiet";
    image.minimum_memory = Mebibytes(768);
    image.inputs_sha256 = std::string(64, '1');
    for (const auto name : image_files)
        image.files.push_back({std::string(name), 1000, std::string(64, digit)});
    image.id = id_of(image);
    return image;
}

} // namespace baton::netboot::testing
