//! `AuthorizationPolicy`: who may ask for what.

use super::{PolicySelector, PolicyTargetReference};
use crate::message::{choice, message};

message! {
    /// Who may ask for what.
    pub struct AuthorizationPolicy {
        /// The pods that it protects; absent is the whole namespace.
        pub selector: Option<PolicySelector>,
        /// The object that it protects, before `target_refs` existed.
        pub target_ref: Option<PolicyTargetReference>,
        /// The objects that it protects.
        pub target_refs: Vec<PolicyTargetReference>,
        /// One of these has to match. None never match, an empty one always does.
        pub rules: Vec<AuthorizationRule>,
        /// What becomes of requests that match.
        pub action: AuthorizationAction,
        /// Who decides where the action is `CUSTOM`.
        pub provider: Option<ExtensionProvider>,
    }
}

choice! {
    /// What becomes of requests that match.
    pub enum AuthorizationAction {
        /// They may pass, and nothing else may.
        #[default]
        Allow,
        /// They may not pass.
        Deny,
        /// They are noted down.
        Audit,
        /// Somebody else decides.
        Custom,
    }
}

message! {
    /// Who decides.
    pub struct ExtensionProvider {
        /// A name of the mesh's configuration.
        pub name: String,
    }
}

message! {
    /// One of `from`, one of `to`, and all of `when` have to hold, each where it has any.
    pub struct AuthorizationRule {
        /// Who asks.
        pub from: Vec<RuleFrom>,
        /// For what.
        pub to: Vec<RuleTo>,
        /// Under which conditions.
        pub when: Vec<RuleCondition>,
    }
}

message! {
    /// Who asks.
    pub struct RuleFrom {
        /// Who.
        pub source: Option<Source>,
    }
}

message! {
    /// For what.
    pub struct RuleTo {
        /// What.
        pub operation: Option<Operation>,
    }
}

message! {
    /// Who asks; all fields that are there have to hold. Values are exact, `prefix*`, `*suffix` or `*`.
    pub struct Source {
        /// The client's identity: `trust-domain/ns/namespace/sa/account`.
        pub principals: Vec<String>,
        /// None of these.
        pub not_principals: Vec<String>,
        /// The token's identity: `issuer/subject`.
        pub request_principals: Vec<String>,
        /// None of these.
        pub not_request_principals: Vec<String>,
        /// The client's namespace.
        pub namespaces: Vec<String>,
        /// None of these.
        pub not_namespaces: Vec<String>,
        /// The client's service account: `namespace/account` or `account`.
        pub service_accounts: Vec<String>,
        /// None of these.
        pub not_service_accounts: Vec<String>,
        /// The address of the connection.
        pub ip_blocks: Vec<String>,
        /// None of these.
        pub not_ip_blocks: Vec<String>,
        /// The address that trusted proxies say.
        pub remote_ip_blocks: Vec<String>,
        /// None of these.
        pub not_remote_ip_blocks: Vec<String>,
        /// The trust domain of the client's identity.
        pub trust_domains: Vec<String>,
        /// None of these.
        pub not_trust_domains: Vec<String>,
    }
}

message! {
    /// What is asked for; all fields that are there have to hold.
    pub struct Operation {
        /// The host, in any case, as it was sent.
        pub hosts: Vec<String>,
        /// None of these.
        pub not_hosts: Vec<String>,
        /// The port of the pod.
        pub ports: Vec<String>,
        /// None of these.
        pub not_ports: Vec<String>,
        /// The method.
        pub methods: Vec<String>,
        /// None of these.
        pub not_methods: Vec<String>,
        /// The path, normalised; `{*}` is one segment, `{**}` any number.
        pub paths: Vec<String>,
        /// None of these.
        pub not_paths: Vec<String>,
    }
}

message! {
    /// A further condition.
    pub struct RuleCondition {
        /// About what: `request.headers[x]`, `source.ip`, ...
        pub key: String,
        /// One of these.
        pub values: Vec<String>,
        /// None of these.
        pub not_values: Vec<String>,
    }
}
