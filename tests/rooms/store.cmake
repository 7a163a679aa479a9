# one contract, two adapters; and what only the one on SQLite can be asked
baton_test(store_contract_test KIND unit ROOMS store)
baton_test(store_sqlite_test KIND unit ROOMS store)
