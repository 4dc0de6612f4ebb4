//! Byte streams, buffers and timers: what every connection of a shard is made of.

mod buffers;
mod stream;
mod timers;

pub(crate) use buffers::{Buffer, Buffers, LARGE, SMALL};
pub(crate) use stream::Stream;
pub(crate) use timers::{Timer, Timers};
