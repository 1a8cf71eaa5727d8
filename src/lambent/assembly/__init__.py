"""
The parts of a server, each put together of what it takes: `app.run` joins them.

In: settings, the data folder, the database, other parts. Out: objects that have all they use. Never: a rule.
"""
