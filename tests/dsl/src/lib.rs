//! A small language for black-box tests: scripted upstreams, clients and proxies.
