//! HTTP/2 clients over loopback.
