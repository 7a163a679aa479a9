baton_program(baton-desk-reader ROOMS model deskreader LIBRARIES Boost::json)
