//! Whole exchanges over loopback: a shard in this process between scripted clients and scripted endpoints.

mod bodies;
mod copies;
mod drain;
mod http2;
mod keep_alive;
mod mirrors;
mod original_destination;
mod refusals;
mod timeouts;
mod tls;
mod tunnels;
mod upstream;
mod world;

use world::Peer;
