//! Sockets, sniffing, HTTP/1 and HTTP/2 drivers, upstream connections.
