//! Where the parts of a configuration are that are not named after the object which they come from.
//!
//! Routes and clusters name the objects that they were made from. A Gateway, a Sidecar or a policy makes neither, but
//! decides where routes are, or what becomes of them.

use sluice_crds::ObjectName;
use std::collections::{BTreeMap, BTreeSet};

/// A place that an object has a hand in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The route table.
    pub route_table: String,
    /// The virtual host in it; `None` where it is the table itself, with the listener that has it.
    pub virtual_host: Option<String>,
}

/// The places of objects: of Gateways the tables of their servers, of the Sidecar that holds for the pod those of all ports,
/// and of policies the virtual hosts that are shut because of them.
pub type Marks = BTreeMap<ObjectName, BTreeSet<Mark>>;

impl Mark {
    pub(crate) fn table(table: &impl ToString) -> Self {
        Self { route_table: table.to_string(), virtual_host: None }
    }
}
