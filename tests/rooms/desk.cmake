baton_test(desk_header_test KIND unit ROOMS desk LIBRARIES rapidcheck)
baton_test(desk_commands_test KIND unit ROOMS desk)
baton_test(desk_image_test KIND integration ROOMS desk TIMEOUT 120)
baton_test(desk_pack_test KIND integration ROOMS desk LIBRARIES PkgConfig::zstd TIMEOUT 120)
