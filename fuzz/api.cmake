baton_fuzz(api_request ROOM api LIBRARIES GTest::gtest)
