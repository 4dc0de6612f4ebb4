//! Micro-benchmarks of what happens for each request and for each change, without sockets: `cargo bench -p sluice-benches`.

#![allow(missing_docs, reason = "criterion's macros make public items without documentation")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot go on says why")]

mod balance;
mod codec;
mod configuration;
mod exchange;
mod matching;
mod snapshot;

criterion::criterion_group!(
    micro,
    codec::benches,
    exchange::benches,
    matching::benches,
    balance::benches,
    snapshot::benches
);
criterion::criterion_main!(micro);
