#pragma once

#include "monitor/rates.h"

#include <chrono>
#include <string>

namespace baton::testing {

/// Where stories about readings begin: 2023-11-14T22:14:00Z, at the start of a minute.
inline constexpr std::int64_t start = 1'700'000'040;

/// A reading of a host with desktops that are as busy as their number and the second say: what
/// comes back from a database can be computed again.
inline monitor::Reading reading_at(std::int64_t second, int desktops,
                                   const std::string& session = "s-kim") {
    monitor::Reading reading;
    reading.host = HostId("host1");
    reading.address = "10.0.0.11";
    reading.wall = WallTime(std::chrono::seconds(second));
    reading.rates.cpu_percent = {30.0, static_cast<double>(second % 100)};
    reading.rates.memory_percent = {80.0, 41.5};
    reading.rates.memory_total_bytes = 8e9;
    reading.rates.memory_used_bytes = 3.3e9;
    reading.rates.disk_bytes = {512.0, 1'000'000.0};
    reading.rates.disk_written_bytes_per_second = 400'000.0;
    reading.rates.receive.l2_bits_per_second = 8e6;
    reading.rates.transmit.l2_bits_per_second = 1e6;
    for (int i = 0; i < desktops; ++i) {
        monitor::DesktopReading desktop;
        desktop.who.uuid = "00000000-0000-4000-8000-00000000000" + std::to_string(i);
        if (i > 9)
            desktop.who.uuid = "uuid-" + std::to_string(i);
        desktop.who.name = "baton-d-" + std::to_string(i);
        desktop.who.desktop = DesktopId("d-" + std::to_string(i));
        if (i == 0)
            desktop.who.session = SessionId(session);
        desktop.who.state = monitor::DomainState::running;
        desktop.wall = reading.wall;
        desktop.rates.cpu_percent.corrected = static_cast<double>((second + i) % 50) / 4;
        desktop.rates.memory.corrected = 25.25;
        desktop.rates.memory_used_bytes = 1024.0 * static_cast<double>(500'000 + second % 7);
        desktop.rates.memory_available_bytes = 2e9;
        if (second % 3 != 0) // what cannot be told now and then
            desktop.rates.disk_bytes.corrected = static_cast<double>(second % 60) * 70'000;
        desktop.rates.receive.l2_bits_per_second = 1000.0 * i;
        desktop.rates.transmit.l2_bits_per_second = 24.0;
        reading.desktops.push_back(desktop);
    }
    return reading;
}

} // namespace baton::testing
