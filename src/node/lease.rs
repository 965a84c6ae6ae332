//! Who else serves this node: instances on the host's network see each other by abstract unix sockets.
