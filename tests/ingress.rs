//! Ingresses with the annotations of ingress-nginx, at a real gateway.

#[path = "ingress/error_pages.rs"]
mod error_pages;
#[path = "ingress/handshakes.rs"]
mod handshakes;
#[path = "ingress/told.rs"]
mod told;
#[path = "ingress/variables.rs"]
mod variables;
