//! Hosts that objects write as text.

use sluice_model::value::EndpointAddress;

/// Whether a text is a host, with or without a port.
pub(crate) fn is_host(text: &str) -> bool {
    text.parse::<EndpointAddress>().is_ok() || format!("{text}:80").parse::<EndpointAddress>().is_ok()
}
