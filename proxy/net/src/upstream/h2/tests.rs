//! HTTP/2 endpoints over loopback.
