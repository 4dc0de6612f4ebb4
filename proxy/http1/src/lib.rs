//! A strict, sans-io HTTP/1.x codec.
