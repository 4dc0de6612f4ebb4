//! The sluice command: run, check, explain, quickstart.

fn main() {}
