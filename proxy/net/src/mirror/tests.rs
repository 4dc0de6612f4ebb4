//! Copies over loopback.
