//! Whole proxies in this process: starting, reloading, draining, and what admin says about it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod admin;
mod binary;
mod dns;
mod drain;
mod feed;
mod load;
mod log;
mod reload;
mod scene;
#[path = "../../src/dns/scripted.rs"]
mod scripted;
mod start;
