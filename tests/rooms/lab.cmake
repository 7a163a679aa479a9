# end to end, on real parts
baton_script_test(lab_table3 KIND e2e TIMEOUT 900
    COMMAND "${CMAKE_SOURCE_DIR}/lab/lab" --build "${CMAKE_BINARY_DIR}" --json "${CMAKE_BINARY_DIR}/table3.json")
baton_script_test(site_test KIND e2e TIMEOUT 900
    COMMAND "${CMAKE_SOURCE_DIR}/lab/in-namespaces" python3 "${CMAKE_SOURCE_DIR}/tests/e2e/site_test.py")
baton_script_test(gateway_site_test KIND e2e TIMEOUT 900
    COMMAND "${CMAKE_SOURCE_DIR}/lab/in-namespaces" python3 "${CMAKE_SOURCE_DIR}/tests/e2e/gateway_site_test.py")
baton_script_test(lab_ends_test KIND e2e TIMEOUT 600
    COMMAND python3 "${CMAKE_SOURCE_DIR}/tests/e2e/lab_ends_test.py")
# a PC without a disk before all of it
baton_script_test(netboot_site_test KIND e2e TIMEOUT 600
    COMMAND "${CMAKE_SOURCE_DIR}/lab/in-namespaces" python3 "${CMAKE_SOURCE_DIR}/tests/e2e/netboot_site_test.py"
    NetbootSiteTest)
set(long_names power four korean)
set(long_classes PowerLossTest FourPcsTest KoreanTest)
foreach(name class IN ZIP_LISTS long_names long_classes)
    baton_script_test(netboot_${name}_test KIND e2e TIMEOUT 900 LABELS long
        COMMAND "${CMAKE_SOURCE_DIR}/lab/in-namespaces" python3 "${CMAKE_SOURCE_DIR}/tests/e2e/netboot_site_test.py"
        ${class})
endforeach()
# each in a folder of its own; lab_table3 measures, and lab_ends_test looks at the whole machine
foreach(name lab_table3 site_test gateway_site_test lab_ends_test netboot_site_test netboot_power_test
        netboot_four_test netboot_korean_test)
    set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED tiny_image
        ENVIRONMENT "BATON_BUILD=${CMAKE_BINARY_DIR};BATON_LAB_DIR=${CMAKE_BINARY_DIR}/lab-${name}")
endforeach()
set_tests_properties(lab_table3 lab_ends_test PROPERTIES RUN_SERIAL TRUE)
set_tests_properties(netboot_site_test netboot_power_test netboot_four_test PROPERTIES FIXTURES_REQUIRED "tiny_image;netboot_image")
set_tests_properties(netboot_korean_test PROPERTIES FIXTURES_REQUIRED "desktop_image;netboot_image")
