//! Kubernetes objects in, the configuration model out.
//!
//! ```text
//! Change ─▶ Store ─▶ plan: which units there are ─▶ units: host by host, each with what it read ─▶ one configuration
//!             │                                        ▲
//!             └── what changed ── who read that ───────┘
//! ```
//!
//! A [`Translator`] holds the objects and what they mean. The pieces that are made on their own are *units*, one for each
//! host; each remembers what it looked at, so that a change makes only those again that looked at it. There is no clock,
//! no socket and no file here, and the order in which changes come makes no difference: [`Translator::translate`] gives what
//! a new translator would give for the same objects. [`Translator::translate_at`] gives the same a moment later where a
//! change would break something that another change is about to mend.
//!
//! What an object asks for and does not get is a [`Report`] about it. An object that was read with a mistake is not used, and
//! its neighbours are.
//!
//! | module | what |
//! | --- | --- |
//! | `store`, `reads`, `readers` | the objects, and who looked at what |
//! | `translator`, `plan`, `output`, `assemble` | which units there are, and how they become one configuration |
//! | `marks` | where the parts are that are not named after their objects |
//! | `hold` | make before break: units that go on as they were while something that they name is not there yet |
//! | `sound` | what the model refuses costs one unit, never all of them |
//! | `services` | from a service and a port to endpoints |
//! | `configmap`, `named` | what holds where an Ingress says nothing itself, and what flags name that is not there |
//! | `nginx` | snippets: nginx's configuration language, and what of it a route can carry |
//! | `ingress` | Ingress with the annotations of ingress-nginx |
//! | `audit` | what a folder of Ingresses comes to, for people who think of moving |
//! | `istio` | Gateway, VirtualService, DestinationRule, ServiceEntry; `istio::mesh` at the sidecar of a pod |

mod assemble;
pub mod audit;
mod certificates;
mod configmap;
mod hold;
mod ingress;
mod istio;
mod marks;
mod name;
mod named;
mod nginx;
mod output;
mod plan;
mod readers;
mod reads;
mod report;
mod scopes;
mod services;
mod settings;
mod sound;
mod store;
mod translator;

pub use ingress::{Alias, HostCertificate, IngressFacts, Lack, Orphan, aliases};
pub use istio::gateway_of_reference;
pub use marks::{Mark, Marks};
pub use report::{Level, Reason, Report};
pub use settings::{
    AnchorReader, CertificateNames, CertificateReader, Classes, Hsts, IngressDefaults, ListenerDefaults,
    MeshDefaults, MetricLabels, NamespacedName, PemPair, Role, Settings, SidecarOf, Topology,
};
pub use store::{Age, Change, Held, Of, Place, Store};
pub use translator::{Translation, Translator};

#[cfg(test)]
mod tests;
