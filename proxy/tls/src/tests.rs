//! Handshakes over an in-memory pipe.
