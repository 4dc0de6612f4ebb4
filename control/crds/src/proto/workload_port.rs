//! Ports as keys of a map.

use serde::{Deserialize, Serialize};
use sluice_model::convert::brief;

/// A port as the key of a map, which JSON can only write as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkloadPort(pub u16);

impl TryFrom<String> for WorkloadPort {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let port = text.parse().ok().filter(|port| *port > 0);
        port.map(Self)
            .ok_or_else(|| format!("`{}` is not a port: write a number from 1 to 65535", brief(&text)))
    }
}

impl From<WorkloadPort> for String {
    fn from(port: WorkloadPort) -> Self {
        port.0.to_string()
    }
}
