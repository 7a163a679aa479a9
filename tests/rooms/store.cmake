# one contract, two adapters; and what only the one on SQLite can be asked
baton_test(store_test KIND unit ROOMS store)
