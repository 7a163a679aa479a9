baton_script_test(bench_run KIND integration LABELS foreign COMMAND python3 "${CMAKE_SOURCE_DIR}/tests/integration/bench_run.py")
