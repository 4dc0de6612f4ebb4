//! The language in which Sluice's black-box tests are written.
//!
//! A test starts a real `sluice` process, gives it something to talk to, talks to it, and says what should be seen at
//! either end:
//!
//! ```ignore
//! use sluice_dsl::{Origin, sluice};
//!
//! #[tokio::test]
//! async fn the_path_reaches_the_upstream_unchanged() {
//!     let shop = Origin::saying("hello").await;
//!     let proxy = sluice!().in_front_of(&shop).await;
//!     let reply = proxy.get("/cart?x=1").await;
//!     assert_eq!((reply.status, reply.text()), (200, "hello"));
//!     assert_eq!(shop.requests()[0].target, "/cart?x=1");
//! }
//! ```
//!
//! # Where a test goes
//!
//! `tests/<theme>.rs`, one theme a file, named in `control/Cargo.toml`:
//!
//! ```toml
//! [[test]]
//! name = "canary"
//! path = "../tests/canary.rs"
//! ```
//!
//! A test's name is the rule that it checks, as a sentence. Tests run in parallel and share nothing.
//!
//! # The words
//!
//! | you want | word |
//! | --- | --- |
//! | a proxy in front of one origin | [`sluice!()`](sluice)`.in_front_of(&origin)` |
//! | routes of your own | `.cluster("shop", &shop).routes("- { name: ... }").start()` ([`Recipe`]) |
//! | a whole configuration, `${shop}` and `${dir}` filled in | `.cluster("shop", &shop).config(TEXT).start()` |
//! | other `runtime`, `access_log` or `admin` settings | [`Recipe::top`] |
//! | a gateway for a folder of manifests | [`gateway!()`](gateway)`.service("shop/web", &[&shop]).manifest("shop.yaml", TEXT).start()` ([`GatewayRecipe`]) |
//! | a gateway for a folder that the test fills itself | [`GatewayRecipe::folder`] |
//! | the sidecar of a pod, for a folder of manifests | [`sidecar!("shop/web")`](sidecar)`.service("shop/api", &[&api]).start()` |
//! | an example of the repository, with origins for its servers | [`GatewayRecipe::example`], [`GatewayRecipe::in_place_of`] |
//! | manifests that change, what became of an object | [`Gateway::write`], [`Gateway::says`], [`Gateway::status`] |
//! | a gateway for the objects of an API server | [`ApiServer::start`], [`GatewayRecipe::cluster`] |
//! | certificates and other files | [`Certificate`], `.file("a.pem", text)`, `.certificate("tls", &certificate)` |
//! | another configuration while it runs | [`Sluice::reload_routes`], [`Sluice::reload`], [`Sluice::write_config`] |
//! | one request over HTTP/1.1 | [`Sluice::get`], [`Sluice::send`], [`Request`] |
//! | the same request over both versions of HTTP | [`Sluice::both`] |
//! | clients that go on while something changes | [`Load`] |
//! | several on one connection; HTTP/2; TLS | [`Http1`], [`Http2`], [`TlsClient`] |
//! | exact bytes, in and out | [`Wire`] |
//! | HTTP/2 frame by frame, as wrong as you like | [`Frames`], [`Outcome`] |
//! | an upstream that answers, over HTTP/1.1 or HTTP/2 | [`Origin`], [`Answer`]; what it saw is [`Seen`] |
//! | bodies too long to keep | [`OriginRecipe::digesting`], [`digest`], [`Http2::upload`] |
//! | an upstream that follows a script of bytes; one whose answer never ends | [`Script`], [`Script::endless`] |
//! | HTTP/2 streams of an upstream, in the test's own hands | [`Streams`] |
//! | a name server | [`NameServer`] |
//! | an upstream that refuses connections, or leaves them unanswered | [`Nobody`], [`Deaf`] |
//! | the access log | [`Sluice::logged`], [`Sluice::log`] |
//! | admin pages | [`Sluice::admin`], [`Sluice::admin_post`], [`Sluice::stat`] |
//! | signals and the end | [`Sluice::signal`], [`Sluice::ended`] |
//! | clients that go on until they are refused | [`Http1::connect_if_open`], [`Wire::connect_if_open`] |
//! | another subcommand, or the start that fails | [`cli!()`](cli), [`Cli`] |
//! | a real Kubernetes API server, paused, killed and started again | [`kubernetes!()`](kubernetes) ([`Kubernetes`]) |
//! | its objects, and who may do what with them | [`Kubernetes::apply`], [`Kubernetes::report`], [`Kubernetes::install`], [`Kubernetes::becomes`], [`Kubernetes::account`], [`Kubernetes::allows`] |
//! | texts of manifests: an Ingress, services, secrets | [`SHOP`], [`ingress_manifest`], [`service_manifest`], [`secret_manifest`] |
//! | the objects of a text of manifests | [`objects`] |
//! | curl, h2load and their like | [`tool`] |
//! | a Kubernetes API server, and what it does wrong | [`ApiServer`] (its words are in [`api_server`]), [`Fault`], [`Disturbance`], [`Call`] |
//! | to wait for something | [`eventually`], [`within`] |
//!
//! # The rules
//!
//! - **Never sleep.** Every wait is for a condition and ends with a panic after [`PATIENCE`]. A read that gets nothing, a
//!   process that does not start, a log line that does not come: all say what was missing.
//! - **Ports are 0, addresses are loopback.** The proxy takes free ports, and the language learns them.
//! - **Nothing is left behind.** Processes are killed, sockets closed and folders removed when their values are dropped,
//!   also when a test fails. Keep values in named variables: `let _ = sluice!()...` drops at once.
//! - Origins live on the test's own runtime: do not block its thread (`std::thread::sleep`, `std::process::Command`); use
//!   [`tool`] and [`Cli`] to run programs.

#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "cargo test shows it when a test fails")]

pub mod api_server;
mod certificate;
mod cli;
mod field;
mod frames;
mod gateway;
mod http1;
mod http2;
mod intake;
mod kubernetes;
mod load;
mod manifest;
mod message;
mod name_server;
mod origin;
mod patience;
mod process;
mod proxy;
mod recipe;
mod script;
mod streams;
mod tool;
mod wire;

pub use api_server::{ApiServer, Call, Disturbance, Fault};
pub use certificate::{Certificate, TlsClient};
pub use cli::{Cli, Output};
pub use field::Fields;
pub use frames::{Frame, Frames, Outcome};
pub use gateway::{Gateway, GatewayRecipe};
pub use http1::Http1;
pub use http2::Http2;
pub use intake::digest;
pub use kubernetes::Kubernetes;
pub use load::Load;
pub use manifest::{
    SHOP, SHOP_HOST, external_manifest, ingress_manifest, objects, secret_manifest, service_manifest,
};
pub use message::{Answer, Interim, Reply, Request, Seen};
pub use name_server::NameServer;
pub use origin::{Origin, OriginRecipe, Speaks};
pub use patience::{PATIENCE, eventually, eventually_some, within};
pub use process::Process;
pub use proxy::Sluice;
pub use recipe::Recipe;
pub use rustix::process::Signal;
pub use script::{Deaf, Nobody, Script};
pub use streams::Streams;
pub use tool::{required, tool};
pub use wire::Wire;

/// Begins the description of a proxy: a [`Recipe`] for the `sluice` binary that cargo built for this test.
#[macro_export]
macro_rules! sluice {
    () => {
        $crate::Recipe::new(env!("CARGO_BIN_EXE_sluice"))
    };
}

/// Begins the description of a gateway: a [`GatewayRecipe`] for the `sluice` binary that cargo built for this test.
#[macro_export]
macro_rules! gateway {
    () => {
        $crate::GatewayRecipe::new(env!("CARGO_BIN_EXE_sluice"))
    };
}

/// Begins the description of the sidecar of a pod `namespace/name`: a [`GatewayRecipe`] for the `sluice` binary that cargo
/// built for this test.
#[macro_export]
macro_rules! sidecar {
    ($pod:expr) => {
        $crate::GatewayRecipe::new(env!("CARGO_BIN_EXE_sluice")).beside($pod)
    };
}

/// The `sluice` command in a folder of its own: a [`Cli`] for the binary that cargo built for this test.
#[macro_export]
macro_rules! cli {
    () => {
        $crate::Cli::new(env!("CARGO_BIN_EXE_sluice"))
    };
}

/// Starts a real Kubernetes API server, with more flags of kube-apiserver where there are any: see
/// [`Kubernetes::start`].
#[macro_export]
macro_rules! kubernetes {
    ($($flag:expr),* $(,)?) => {
        $crate::Kubernetes::start(env!("CARGO_BIN_EXE_sluice"), &[$($flag),*])
    };
}
