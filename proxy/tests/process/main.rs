//! Whole proxies in this process: starting, reloading, draining, and what admin says about it.

mod admin;
mod drain;
mod log;
mod reload;
mod scene;
mod start;
