"""What the scenario tests stand on: a stand-in for the engine, its wire format, and the server process under test."""
