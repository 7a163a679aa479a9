/// Manifests, recipes' descriptions and qcow2 headers of strangers: any bytes are read or refused.
#include "osimage/build.h"
#include "osimage/import.h"
#include "osimage/manifest.h"
#include "osimage/qcow2.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace baton::osimage;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto manifest = manifest_from_json(text)) {
        const auto again = manifest_from_json(to_json(*manifest));
        if (!again || *again != *manifest)
            std::abort();
    }
    (void)draft_from_recipe_json(text);
    (void)judge_check(0, std::string(text), {});
    if (const auto header = read_qcow2_header(text))
        (void)check_self_contained(*header, "x");
    int percent = 0;
    std::string words;
    if (parse_progress(text, percent, words) && (percent < 0 || percent > 100))
        std::abort();
    return 0;
}
